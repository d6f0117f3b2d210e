//! Property: what two devices of one officer make of one record does not depend on what their clocks say: the same
//! values, the same conflicts, the same numbers; only displayed times differ.
//! Method: one story, told with clocks that are right and with clocks that are not; everything that is no time is compared.

use beatbook_tests::{Clock, Device, Force};

use serde_json::Value;

/// What a clock does from the beginning, and from the middle of the story on.
type Setting = fn(&Clock, Part);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Beginning,
    Middle,
}

#[test]
fn the_same_story_with_any_clocks_ends_the_same() {
    let settings: [(&str, [Setting; 2]); 5] = [
        ("both right", [|_, _| {}, |_, _| {}]),
        (
            "one years ahead, one years behind",
            [
                |clock, _| clock.shift_s(9 * YEAR_S),
                |clock, _| clock.shift_s(-30 * YEAR_S),
            ],
        ),
        (
            "the other way round",
            [
                |clock, _| clock.shift_s(-30 * YEAR_S),
                |clock, _| clock.shift_s(9 * YEAR_S),
            ],
        ),
        (
            "one at 1970, one that stands still",
            [
                |clock, _| clock.freeze_at_s(0),
                |clock, _| clock.freeze_at_s(1_700_000_000),
            ],
        ),
        (
            "both jump in the middle",
            [
                |clock, part| {
                    clock.shift_s(if part == Part::Middle {
                        -20 * YEAR_S
                    } else {
                        5 * YEAR_S
                    })
                },
                |clock, part| clock.shift_s(if part == Part::Middle { 9 * YEAR_S } else { -YEAR_S }),
            ],
        ),
    ];
    let mut right = None;
    for (name, setting) in settings {
        let ended = tell(setting);
        for word in ["left", "right"] {
            assert!(ended.said.contains(word), "both stand somewhere: {}", ended.said);
        }
        let Some(right) = &right else {
            right = Some(ended);
            continue;
        };
        let Ended { said, times } = right;
        assert_eq!(said, &ended.said, "with clocks: {name}");
        assert_ne!(times, &ended.times, "the clocks were wrong indeed: {name}");
    }
}

/// How a story ended.
struct Ended {
    /// Everything that each device shows and that is no time.
    said: String,
    /// The years in which its records were written, as they say.
    times: Vec<String>,
}

/// A contact whose fields merge, one whose field is in conflict and settled, a note in conflict, and a strike.
fn tell(settings: [Setting; 2]) -> Ended {
    let force = Force::staffed();
    let names = ["phone", "laptop"];
    let clocks = names.map(|name| Clock::right(&force.path(&format!("clock of {name}"))));
    let [phone, laptop] = [0, 1].map(|at| force.enrol(names[at], "9123").staged(clocks[at].variables()));
    let desk = force.enrol("desk", "214");
    let set = |part| {
        for (clock, setting) in clocks.iter().zip(settings) {
            setting(clock, part);
        }
    };
    let share = || {
        for device in [&phone, &laptop, &phone, &desk] {
            device.sync();
        }
    };
    // Each opens its book at the server in this order, so that the books have the same names in every telling.
    phone.sync();
    laptop.sync();
    set(Part::Beginning);
    for set in ["operation=merging", "operation=disputed"] {
        let contact = ["contact", "--strand", "CONSULT", "--beat", "C02", "--set", set];
        phone.run(&contact).done();
    }
    phone.note("a note that both amend");
    phone.note("a note with a wrong word in it");
    share();
    amend(&phone, "merging", "handling=left");
    amend(&laptop, "merging", "incident_ref=right");
    set(Part::Middle);
    amend(&laptop, "disputed", "incident_ref=right");
    amend(&phone, "disputed", "incident_ref=left");
    amend(&phone, "both amend", "description_seen=left");
    amend(&laptop, "both amend", "officer_assessment=right");
    strike(&laptop, "a wrong word");
    share();
    settle(&laptop, "disputed");
    share();
    let conflicts = |device: &Device| device.conflicts().len();
    assert_eq!(
        [&phone, &laptop, &desk].map(conflicts),
        [1; 3],
        "the note waits for a person"
    );
    ended([&phone, &laptop, &desk])
}

/// What the devices show.
fn ended(devices: [&Device; 3]) -> Ended {
    let year = |record: &Value| {
        record
            .get("recorded_at")
            .map(|at| at.to_string().chars().take(5).collect())
    };
    let times = devices[2].list().iter().filter_map(year).collect();
    let mut said = Vec::new();
    for device in devices {
        let mut records = device.list();
        records.iter_mut().for_each(forget_times);
        // How a listing is ordered may follow when things are said to have occurred; what it lists may not.
        records.sort_by_key(|record| record.get("record").map(Value::to_string));
        said.push(Value::from(records));
    }
    let said = serde_json::to_string_pretty(&said).expect("it was JSON");
    Ended { said, times }
}

fn amend(device: &Device, word: &str, assignment: &str) {
    let record = device.reference(word);
    device
        .run(&["amend", &record, "--set", assignment, "--reason", "seen again"])
        .done();
}

fn strike(device: &Device, word: &str) {
    let record = device.reference(word);
    let strike = ["strike", &record, "--text", "wrong word", "--reason", "misheard"];
    device.run(&[&strike[..], &["--initials", "SP"]].concat()).done();
}

fn settle(device: &Device, word: &str) {
    let record = device.reference(word);
    device
        .run(&[
            "resolve",
            &record,
            "--keep",
            "2",
            "--reason",
            "checked at the desk",
        ])
        .done();
}

/// Takes out what a clock may say, and the names that are drawn anew for each force.
fn forget_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in TIMES.iter().chain(DRAWN) {
                members.remove(*name);
            }
            members.values_mut().for_each(forget_times);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_times),
        _ => {}
    }
}

const TIMES: &[&str] = &["at", "from", "occurred", "received_at", "recorded_at", "to"];
const DRAWN: &[&str] = &["officer"];
const YEAR_S: i64 = 365 * 86_400;
