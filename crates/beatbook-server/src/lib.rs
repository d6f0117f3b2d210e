//! The server library and the program beatbookd.
