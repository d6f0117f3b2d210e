//! What officers and supervisors do, end to end: one scenario a file.

mod another_beat_sees_nothing;
mod backup_and_restore;
mod beside_a_holder;
mod demo_tells_the_truth;
mod no_words_in_the_clear;
mod notebook_rules;
mod one_bad_record;
mod server_restarts;
mod shift_offline_then_synced;
mod stale_reading;
mod two_devices_one_record;
mod unknown_words;
