//! Random writes, reopenings and housekeeping: every table reads as the model in memory does.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Checkpoint,
    Compact,
    Kill,
    Release,
    Reopen,
    Write(WriteSet),
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(
        prop_oneof![Just(0_u8), Just(1), Just(0x7f), Just(0x80), Just(0xfe)],
        0..4,
    )
}

fn write_set() -> impl Strategy<Value = WriteSet> {
    let length = prop_oneof![8 => 0..600_usize, 1 => 16_000..50_000_usize];
    let value = prop::option::weighted(0.75, (any::<u8>(), length));
    prop::collection::vec((0..Table::ALL.len(), key(), value), 1..12).prop_map(|writes| {
        let mut set = WriteSet::default();
        for (table, key, value) in writes {
            set.set(
                Table::ALL[table],
                key,
                value.map(|(byte, length)| vec![byte; length]),
            );
        }
        set
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => write_set().prop_map(Step::Write),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Compact),
        2 => Just(Step::Kill),
        1 => Just(Step::Release),
        2 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_table_reads_as_the_model_does(steps in steps(), from in key(), to in key(), limit in 0..9_usize) {
        let folder = tempfile::tempdir().expect("folder");
        let mut dir = folder.path().join("store");
        let mut model = MemoryStore::default();
        let mut store = create(&dir, plain());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Write(writes) => {
                    apply(&store, writes.clone()).expect("commit");
                    model.apply(&writes);
                }
                Step::Checkpoint => store.checkpoint().expect("checkpoint"),
                Step::Compact => store.compact().expect("compact"),
                Step::Release => store.release(store.sequence()).expect("release"),
                Step::Reopen => {
                    store.close().expect("close");
                    let (reopened, report) = open(&dir, plain());
                    prop_assert_eq!((report.rebuilt, report.cut_bytes, report.replayed), (None, 0, 0));
                    store = reopened;
                }
                Step::Kill => {
                    let image = folder.path().join(format!("image-{number}"));
                    copy_dir(&dir, &image);
                    drop(store);
                    dir = image;
                    store = open(&dir, Options { repair: false, ..plain() }).0;
                }
            }
            let ours = store.read(everything).expect("read");
            prop_assert!(ours == everything(&model).expect("the model"), "after step {}", number);
        }
        for table in Table::ALL {
            let ours = store.read(|read| {
                Ok::<_, StoreError>((
                    read.scan(table, &from, &to, limit)?,
                    read.last(table, &from, &to)?,
                    read.get(table, &from)?,
                ))
            });
            let theirs =
                (model.scan(table, &from, &to, limit)?, model.last(table, &from, &to)?, model.get(table, &from)?);
            prop_assert!(ours == Ok(theirs));
        }
        store.verify().expect("verify");
    }
}
