//! End to end over real processes and loopback QUIC.
