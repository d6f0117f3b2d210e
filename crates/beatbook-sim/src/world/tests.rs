//! Worlds end in quiet, and the same seed gives the same world.

use super::*;
use crate::observe::WorldView;
use crate::plan::{Overrides, Size};

/// Hashes the story, and the disks at the end.
#[derive(Default)]
struct Story {
    lines: Vec<String>,
    digest: u64,
    was_quiet: bool,
}

impl Observer for Story {
    fn fact(&mut self, fact: &Fact, _: &dyn WorldView) -> Result<(), Violation> {
        self.lines.push(fact.to_string());
        Ok(())
    }

    fn quiet(&mut self, world: &dyn WorldView) -> Result<(), Violation> {
        self.digest = world.disk_digest();
        self.was_quiet = true;
        Ok(())
    }
}

fn story(plan: &Plan) -> (Ended, Story) {
    let mut story = Story::default();
    let ended = run(plan, &mut [&mut story]);
    (ended, story)
}

#[test]
fn a_world_without_faults_ends_in_quiet() {
    for seed in 0..4 {
        let calm = Overrides {
            only: Some(Default::default()),
            ..Overrides::default()
        };
        let plan = Plan::from_seed(seed, Size::Small).with(&calm);
        let (ended, story) = story(&plan);
        assert_eq!(ended.violation, None, "seed {seed}\n{}", story.lines.join("\n"));
        assert!(story.was_quiet && ended.written > 0, "seed {seed}: {ended:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_world() {
    for seed in 0..6 {
        let plan = Plan::from_seed(seed, Size::Small);
        let (first, one) = story(&plan);
        let (second, other) = story(&plan);
        assert_eq!(one.lines, other.lines, "seed {seed}");
        assert_eq!(one.digest, other.digest, "seed {seed}: the disks differ");
        assert_eq!(first, second, "seed {seed}");
    }
}
