//! Property: `demo --json` prints one object, and its figures fit together.

use beatbook_tests::Force;

use serde_json::Value;

#[test]
fn figures_fit_together() {
    let force = Force::folder_only();
    let device = force.device("none");
    let demo = device.run(&["demo", "--json"]).done();
    let told = demo.object();
    let figure = |name: &str| {
        let figure = told.get(name).and_then(Value::as_u64);
        figure.unwrap_or_else(|| panic!("no figure {name}: {told}"))
    };
    let written = figure("written_offline");
    assert!(written > 0, "a shift was written: {told}");
    assert!(
        figure("synced") >= written,
        "what was written offline was synced: {told}"
    );
    assert!(figure("merged") > 0, "something was merged: {told}");
    assert!(figure("conflicts_shown") > 0, "a conflict was shown: {told}");
    assert_eq!(figure("conflicts_resolved"), figure("conflicts_shown"), "{told}");
    assert!(figure("bytes_up") > 0 && figure("bytes_down") > 0, "{told}");
    assert!(figure("elapsed_ms") > 0, "{told}");

    let aloud = device.run(&["demo"]).done();
    for words in ["synced", "merged", "resolved"] {
        assert!(
            aloud.stdout.to_lowercase().contains(words),
            "the table tells \"{words}\": {aloud:?}"
        );
    }
}
