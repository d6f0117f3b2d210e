//! Processes killed with SIGKILL, as a dead battery or a power cut ends them: one scenario a file.

mod device_killed;
mod enrolment_killed;
mod server_killed;
