//! Links that break, stores that go back in time, tokens and PINs that are wrong: one scenario a file.

mod bad_weather;
mod bit_rot;
mod link_cut_everywhere;
mod refusals;
mod server_from_backup;
mod store_from_copy;
