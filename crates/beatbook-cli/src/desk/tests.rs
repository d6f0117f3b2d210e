//! Commands on real notebooks of a small force: what they print, and how they end.

use std::path::Path;

use clap::Parser as _;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::*;
use crate::args::Cli;
use crate::demo::world::{World, close};
use crate::output::Terminal;

/// A force with its devices, and a runtime to run them on.
struct Force {
    runtime: Runtime,
    world: Option<World>,
    _folder: tempfile::TempDir,
}

impl Force {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let world = runtime.block_on(World::build(folder.path())).unwrap();
        Self {
            runtime,
            world: Some(world),
            _folder: folder,
        }
    }

    fn world(&self) -> &World {
        self.world.as_ref().unwrap()
    }

    /// Types a command on the notebook of a device.
    fn type_on(&self, book: &Notebook, arguments: &[&str]) -> Typed {
        let cli = Cli::try_parse_from([&["beatbook"], arguments].concat()).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut output = Output::new(&mut out, &mut err, cli.global.json, Terminal::default());
        let desk = Desk {
            book,
            agent: None,
            runtime: self.runtime.handle(),
            folder: Path::new("/"),
            wanted: &|| true,
            pins: None,
        };
        let (exit, why) = match run(&desk, &cli.command, &mut output) {
            Ok(exit) => (exit, String::new()),
            Err(failure) => (failure.exit(), failure.to_string()),
        };
        Typed {
            exit,
            why,
            out: String::from_utf8(out).unwrap(),
            err: String::from_utf8(err).unwrap(),
        }
    }

    fn on_phone(&self, arguments: &[&str]) -> Typed {
        self.type_on(&self.world().phone.book, arguments)
    }
}

impl Drop for Force {
    fn drop(&mut self) {
        let world = self.world.take().unwrap();
        self.runtime
            .block_on(async { close(world.put_devices_away().await.unwrap()).await.unwrap() });
    }
}

/// What a command said.
#[derive(Debug)]
struct Typed {
    exit: Exit,
    why: String,
    out: String,
    err: String,
}

impl Typed {
    /// Done, and printed the reference of a record alone.
    fn record(&self) -> String {
        assert_eq!(self.exit, Exit::Done, "{self:?}");
        let record = self.out.trim_end();
        assert!(
            !record.is_empty() && !record.contains(char::is_whitespace),
            "{self:?}"
        );
        record.to_owned()
    }

    fn object(&self) -> Value {
        serde_json::from_str(self.out.trim_end()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

#[test]
fn a_note_is_written_amended_struck_supplemented_and_signed_and_all_of_it_stays() {
    let force = Force::new();
    let note = force
        .on_phone(&[
            "note",
            "Shutter forced at number 14, owner told",
            "--beat",
            "WS01",
        ])
        .record();
    let amend = [
        "amend",
        &note,
        "--set",
        "body=Shutter forced at number 16, owner told",
        "--reason",
        "misread",
    ];
    assert_eq!(force.on_phone(&amend).record(), note);
    let strike = [
        "strike",
        &note,
        "--text",
        "owner told",
        "--reason",
        "neighbour told",
        "--initials",
        "SP",
    ];
    assert_eq!(force.on_phone(&strike).record(), note);
    assert_eq!(
        force
            .on_phone(&["supplement", &note, "The owner rang back"])
            .record(),
        note
    );
    assert_eq!(force.on_phone(&["sign", &note]).record(), note);

    let shown = force.on_phone(&["show", &note]);
    assert_eq!(shown.exit, Exit::Done);
    for words in [
        "OFFICIAL",
        "~~Shutter forced at number 14, owner told~~",
        "~~owner told~~",
        "The owner rang back",
        "misread",
        "Signed",
    ] {
        assert!(shown.out.contains(words), "{words}: {}", shown.out);
    }
    let object = force.on_phone(&["show", &note, "--json"]).object();
    assert_eq!(object["record"], note);
    assert_eq!(object["lifecycle"], "SIGNED");
    let kinds: Vec<&str> = object["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["create", "amend", "strike", "supplement", "sign"]);

    let void = force.on_phone(&["void", &note, "--reason", "not wanted"]);
    assert_eq!(void.exit, Exit::Failed);
    assert!(
        void.why.starts_with(&format!("{note} was not written: ")),
        "{void:?}"
    );
}

#[test]
fn a_draft_may_be_blank_and_is_voided_with_its_number_kept() {
    let force = Force::new();
    assert_eq!(
        force.on_phone(&["note", "  ", "--beat", "WS01"]).exit,
        Exit::Usage
    );
    let draft = force
        .on_phone(&["note", "", "--draft", "--beat", "WS01"])
        .record();
    let signed = force.on_phone(&["sign", &draft]);
    assert_ne!(signed.exit, Exit::Done, "{signed:?}");
    assert!(force.on_phone(&["list", "--drafts"]).out.contains(&draft));
    force
        .on_phone(&["void", &draft, "--reason", "begun twice"])
        .record();
    assert!(!force.on_phone(&["list", "--drafts"]).out.contains(&draft));
    assert!(force.on_phone(&["show", &draft]).out.contains("VOID"));
}

#[test]
fn a_patrol_is_logged_from_book_on_to_book_off() {
    let force = Force::new();
    let none = force.on_phone(&["patrol", "state", "VISIBLE_PATROL"]);
    assert!(
        none.exit == Exit::Usage && none.why.contains("patrol start"),
        "{none:?}"
    );
    let shift = force
        .on_phone(&["patrol", "start", "--beat", "WS01", "--state", "BRIEFING"])
        .record();
    assert_eq!(
        force.on_phone(&["patrol", "state", "visible-patrol"]).record(),
        shift
    );
    let segment = force
        .on_phone(&["patrol", "segment", "--mode", "FOOT", "--beat", "WS01"])
        .record();
    let fix = [
        "patrol",
        "fix",
        "51.0390,-3.5520,8",
        "51.0391,-3.5521",
        "--beat",
        "WS01",
        "--segment",
        &segment,
    ];
    let crumb = force.on_phone(&fix).record();
    let stop = [
        "patrol",
        "stop",
        "--kind",
        "HOTSPOT_DWELL",
        "--beat",
        "WS01",
        "--result",
        "SEEN",
        "--segment",
        &segment,
    ];
    force.on_phone(&stop).record();
    assert_eq!(force.on_phone(&["patrol", "end"]).record(), shift);
    let object = force.on_phone(&["show", &shift, "--json"]).object();
    assert_eq!(object["fields"]["duty_states"].as_array().unwrap().len(), 2);
    assert!(object["fields"]["occurred"]["to"].is_string(), "{object}");
    assert_eq!(
        force.on_phone(&["show", &crumb, "--json"]).object()["fields"]["track"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn what_does_not_fit_is_refused_by_name_and_with_what_to_do() {
    let force = Force::new();
    for (arguments, exit, words) in [
        (
            &["note", "x", "--beat", "WS01", "--kind", "GOSSIP"][..],
            Exit::Usage,
            "note_kind",
        ),
        (
            &["note", "x", "--beat", "W S", "--kind", "OTHER"],
            Exit::Usage,
            "beat",
        ),
        (
            &["note", "x", "--beat", "WS01", "--set", "colour=red"],
            Exit::Usage,
            "beatbook fields NOTE",
        ),
        (
            &[
                "contact", "--strand", "CONSULT", "--kind", "GROUP", "--beat", "WS01",
            ],
            Exit::Usage,
            "reach",
        ),
        (&["show", "B99/1"], Exit::Failed, "B99/1"),
        (
            &["resolve", "B99/1", "--keep", "1", "--reason", "x"],
            Exit::Failed,
            "B99/1",
        ),
        (
            &["patrol", "fix", "north", "--beat", "WS01"],
            Exit::Usage,
            "51.4637",
        ),
        (
            &["patrol", "fix", "--file", "no-such.gpx", "--beat", "WS01"],
            Exit::Failed,
            "no-such.gpx",
        ),
        (&["sync", "--watch"], Exit::Failed, "syncing already"),
    ] {
        let typed = force.on_phone(arguments);
        assert_eq!(typed.exit, exit, "{arguments:?} {typed:?}");
        assert!(typed.why.contains(words), "{arguments:?} {typed:?}");
        assert!(typed.out.is_empty(), "{arguments:?} {typed:?}");
    }
    let written = force
        .on_phone(&["note", "twice and twice", "--beat", "WS01"])
        .record();
    let twice = force.on_phone(&[
        "strike",
        &written,
        "--text",
        "twice",
        "--reason",
        "x",
        "--initials",
        "SP",
    ]);
    assert!(
        twice.exit == Exit::Failed && twice.why.contains("2 times"),
        "{twice:?}"
    );
}

#[test]
fn lists_are_filtered_and_masked() {
    let force = Force::new();
    let note = force
        .on_phone(&[
            "note",
            "Spoke at the gate",
            "--beat",
            "WS01",
            "--person",
            "Edith Marlow:WITNESS",
        ])
        .record();
    let contact = [
        "contact",
        "--strand",
        "CONSULT",
        "--beat",
        "WS02",
        "--set",
        "sde_code=W1",
        "--set",
        "summary=Parking",
    ];
    let contact = force.on_phone(&contact).record();
    let names = |arguments: &[&str]| -> Vec<String> {
        let typed = force.on_phone(&[arguments, &["--json"]].concat());
        typed
            .out
            .lines()
            .map(|line| {
                let object: Value = serde_json::from_str(line).unwrap();
                object["record"].as_str().unwrap().to_owned()
            })
            .collect()
    };
    assert_eq!(names(&["list", "--beat", "WS01"]), [note.as_str()]);
    assert_eq!(names(&["list", "--beat", "52/WS02"]), [contact.as_str()]);
    assert_eq!(names(&["list", "--family", "contact"]), [contact.as_str()]);
    assert_eq!(names(&["list", "--person", "marlow"]), [note.as_str()]);
    assert_eq!(names(&["list", "--since", "2031-01-01"]), [""; 0]);
    assert_eq!(names(&["list", "--officer", "9140"]), [""; 0]);
    assert_eq!(names(&["search", "gate"]), [note.as_str()]);
    let masked = force
        .on_phone(&["list", "--family", "CONTACT", "--json"])
        .object();
    assert_eq!(masked["fields"]["sde_code"], "[masked]");
    let whole = force
        .on_phone(&["list", "--family", "CONTACT", "--sensitive", "--json"])
        .object();
    assert_eq!(whole["fields"]["sde_code"], "W1");
}

#[test]
fn a_conflict_is_shown_with_both_versions_refused_to_an_amend_and_resolved() {
    let force = Force::new();
    let phone = &force.world().phone;
    let record = written_twice(&force, "body=At number 16", "body=At number 12");
    let note = phone.book.read(record).unwrap().record.reference;
    let refused = force.on_phone(&["amend", &note, "--set", "body=At number 1", "--reason", "sure"]);
    assert!(
        refused.exit == Exit::Failed && refused.why.contains("beatbook resolve"),
        "{refused:?}"
    );
    let shown = force.on_phone(&["show", &note]);
    assert_eq!(shown.exit, Exit::Waiting);
    assert!(
        shown.out.contains("VERSION 1") && shown.out.contains("VERSION 2"),
        "{}",
        shown.out
    );
    assert!(shown.err.contains("beatbook resolve"), "{shown:?}");
    let listed = force.on_phone(&["conflicts", "--json"]);
    assert_eq!(listed.exit, Exit::Waiting);
    let versions = listed.object()["versions"].as_array().unwrap().clone();
    assert_eq!(versions.len(), 2);
    assert_eq!(force.on_phone(&["status"]).exit, Exit::Waiting);

    let wrong = force.on_phone(&["resolve", &note, "--keep", "3", "--reason", "checked"]);
    assert!(
        wrong.exit == Exit::Failed && wrong.why.contains("no version 3"),
        "{wrong:?}"
    );
    force
        .on_phone(&["resolve", &note, "--keep", "2", "--reason", "checked at the door"])
        .record();
    let settled = force.on_phone(&["show", &note, "--json"]);
    assert_eq!(settled.exit, Exit::Done);
    assert_eq!(settled.object()["fields"]["body"], versions[1]["fields"]["body"]);
    assert_eq!(force.on_phone(&["conflicts"]).exit, Exit::Done);
    let again = force.on_phone(&["resolve", &note, "--keep", "1", "--reason", "no"]);
    assert!(
        again.exit == Exit::Failed && again.why.contains("beatbook amend"),
        "{again:?}"
    );
}

#[test]
fn under_the_notebooks_law_different_fields_wait_too_and_either_version_can_be_kept() {
    let force = Force::new();
    let phone = &force.world().phone;
    let record = written_twice(&force, "body=At number 16", "note_kind=INCIDENT");
    let note = phone.book.read(record).unwrap().record.reference;
    let versions = force.on_phone(&["show", &note, "--json"]).object()["versions"].clone();
    let kept = versions
        .as_array()
        .unwrap()
        .iter()
        .find(|version| version["fields"]["body"] == "At number 16");
    let kept = kept.unwrap();
    assert_eq!(kept["fields"]["note_kind"], "OBSERVATION");
    let number = kept["version"].to_string();
    force
        .on_phone(&[
            "resolve",
            &note,
            "--keep",
            &number,
            "--reason",
            "it was no incident",
        ])
        .record();
    let settled = force.on_phone(&["show", &note, "--json"]);
    assert_eq!(settled.exit, Exit::Done);
    let fields = settled.object()["fields"].clone();
    assert_eq!(
        (&fields["body"], &fields["note_kind"]),
        (&kept["fields"]["body"], &kept["fields"]["note_kind"])
    );
}

/// A note that was amended on phone and laptop while the network was cut; the phone sees the conflict.
fn written_twice(force: &Force, on_phone: &str, on_the_laptop: &str) -> beatbook_proto::RecordId {
    let world = force.world();
    let (phone, laptop) = (&world.phone, &world.laptop);
    let note = force
        .on_phone(&["note", "At number 14", "--beat", "WS01"])
        .record();
    let record = phone.book.find(&note).unwrap();
    force
        .runtime
        .block_on(laptop.until("the note", move |book| book.read(record).is_ok()))
        .unwrap();
    let on_laptop = laptop.book.read(record).unwrap().record.reference;
    world.coverage(false);
    force
        .on_phone(&["amend", &note, "--set", on_phone, "--reason", "misread"])
        .record();
    let amend = ["amend", &on_laptop, "--set", on_the_laptop, "--reason", "misread"];
    force.type_on(&laptop.book, &amend).record();
    world.coverage(true);
    let conflict = move |book: &Notebook| book.read(record).is_ok_and(|read| read.record.is_conflict());
    force
        .runtime
        .block_on(phone.until("the conflict", conflict))
        .unwrap();

    record
}

#[test]
fn an_unknown_word_is_refused_by_name() {
    let force = Force::new();
    let note = ["note", "A gate stood open", "--beat", "WS01", "--kind", "BLETHER"];
    let refused = force.on_phone(&note);
    assert_eq!(refused.exit, Exit::Usage, "{refused:?}");
    for said in ["BLETHER", "the vocabulary note_kind", "beatbook fields NOTE"] {
        assert!(refused.why.contains(said), "{refused:?}");
    }
}
