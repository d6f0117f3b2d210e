//! Links, processes and clocks that misbehave for a while: shifts synced over a fault proxy under each fault and under
//! seeded mixtures, processes that stop and go on, clocks that are wrong. One scenario a file.

mod black_hole_under_an_upload;
mod certificates_by_a_wrong_clock;
mod clocks_decide_nothing;
mod each_fault;
mod mixtures;
mod stopped_and_gone_on;
