//! Scenarios of sync: one file each, named by behaviour, over real session machines and stores in memory.

mod checks;
mod link;
mod world;

mod concurrent_work_of_one_officer;
mod link_cut_at_every_frame;
mod peers_that_misbehave;
mod random_worlds;
mod records_move_between_scopes;
mod reissues_are_judged;
mod restore_matrix;
mod server_went_back_in_time;
mod shift_offline_then_synced;
mod store_copied_or_restored;
mod verdicts_hold_back_nothing_else;
mod whole_runs_go_to_readers;
