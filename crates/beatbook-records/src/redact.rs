//! Debug output of what carries record data: the name of the type and nothing in it.

/// Implements `Debug` so that no text of a record reaches a log line or a panic message.
macro_rules! redacted {
    ($($name:ident $(<$lifetime:lifetime>)?),+ $(,)?) => {
        $(
            impl std::fmt::Debug for $name $(<$lifetime>)? {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.debug_struct(stringify!($name)).finish_non_exhaustive()
                }
            }
        )+
    };
}
pub(crate) use redacted;

#[cfg(test)]
mod tests;
