//! Administration: what the force's administrator does, on an open [`crate::ServerStore`].

pub(crate) mod backup;
pub(crate) mod beats;
pub(crate) mod check;
pub(crate) mod register;
pub(crate) mod repair;
pub(crate) mod status;
