//! Every seed that ever failed runs again, and keeps every invariant.

use std::fs;
use std::path::Path;

use beatbook_sim::plan::Plan;
use beatbook_sim::regression::Regression;
use beatbook_sim::run;

#[test]
fn kept_seeds_stay_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut kept: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    kept.sort();
    let mut failing = Vec::new();
    for path in kept {
        let text = fs::read_to_string(&path).unwrap();
        let regression =
            Regression::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let plan = Plan::from_seed(regression.seed, regression.size).with(&regression.overrides);
        if let Some(violation) = run::one(&plan, &mut []).violation() {
            failing.push(format!(
                "{violation}\n  was: {}\n  repeat it: cargo xtask sim {}",
                regression.was,
                regression.arguments()
            ));
        }
    }
    assert!(failing.is_empty(), "{}", failing.join("\n"));
}
