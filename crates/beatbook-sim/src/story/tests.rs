//! A story keeps its beginning and its end.

use super::*;
use crate::check::fixtures::World;

#[test]
fn a_long_story_is_cut_in_the_middle() {
    let mut world = World::new(1);
    let mut story = Story::of(20);
    for number in 0..50 {
        let fact = world.found(0, &format!("entry {number}"));
        story.fact(&fact, &world).unwrap();
    }
    let told = story.to_string();
    assert_eq!(told.lines().count(), 21);
    assert!(told.contains("... 30 lines ..."), "{told}");
    assert!(told.lines().next().unwrap().contains("founds a record"));
    assert!(!told.contains("entry 1"), "a story shows no content");
}
