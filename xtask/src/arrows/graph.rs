//! Declared dependencies against the table.

use cargo_metadata::Metadata;

use super::house::{FENCES, HOUSE, OVER_FENCES, Room};

/// A crate of the workspace and all that it names, in any kind of dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) package: String,
    pub(super) names: Vec<String>,
}

/// The crates of the workspace, by name.
pub(super) fn members(metadata: &Metadata) -> Vec<Member> {
    let mut members: Vec<Member> = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| {
            let mut names: Vec<String> = package
                .dependencies
                .iter()
                .map(|named| named.name.clone())
                .collect();
            names.sort();
            names.dedup();
            Member {
                package: package.name.to_string(),
                names,
            }
        })
        .collect();
    members.sort_by(|a, b| a.package.cmp(&b.package));
    members
}

/// What the declared dependencies have that the table has not.
pub(super) fn faults(members: &[Member]) -> Vec<String> {
    let mut faults = Vec::new();
    for member in members {
        let Some(room) = room(&member.package) else {
            faults.push(format!(
                "{}: not in the table of the house, add it to xtask/src/arrows/house.rs",
                member.package
            ));
            continue;
        };
        for name in &member.names {
            faults.extend(arrow_fault(room, name));
            faults.extend(fence_fault(room, name));
        }
    }
    faults
}

fn arrow_fault(from: &Room, name: &str) -> Option<String> {
    let to = room(name)?;
    if to.level >= from.level {
        return Some(format!(
            "{} (level {}) names {name} (level {}): arrows lead only downward, move what is shared into a lower crate",
            from.package, from.level, to.level
        ));
    }
    (!from.may_name.contains(&name)).then(|| {
        format!(
            "{} names {name}: not an arrow of the design, see xtask/src/arrows/house.rs",
            from.package
        )
    })
}

fn fence_fault(from: &Room, name: &str) -> Option<String> {
    let fence = FENCES.iter().find(|fence| fence.packages.contains(&name))?;
    (fence.owner != from.package && !OVER_FENCES.contains(&from.package)).then(|| {
        format!(
            "{} names {name}: only {} may, go through what it offers",
            from.package, fence.owner
        )
    })
}

fn room(package: &str) -> Option<&'static Room> {
    HOUSE.iter().find(|room| room.package == package)
}
