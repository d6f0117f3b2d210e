//! Runs a script over a store, step by step, and goes on after what fails as a user would: with another try.

use std::path::Path;

use super::{Marks, Refused, Side, Site, Step, force};

/// A script on its way.
pub struct Runner<'a> {
    site: Site,
    marks: &'a Marks,
    side: Option<Box<dyn Side>>,
    pin: usize,
}

impl<'a> Runner<'a> {
    /// Begins over a folder.
    pub fn new(site: Site, marks: &'a Marks) -> Self {
        Self {
            site,
            marks,
            side: None,
            pin: 0,
        }
    }

    /// Runs steps in order. What fails is marked, and the script goes on as its user would: with another try.
    pub fn run(&mut self, steps: &[Step], prefix: &str) {
        for (at, step) in steps.iter().enumerate() {
            match *step {
                Step::Make => self.make(),
                Step::Restore => self.restore(),
                Step::LoseIndex => lose_index(&self.site.store()),
                Step::Close => self.close(),
                Step::Write(count) => {
                    for number in 0..count {
                        self.with(|side, marks, _| {
                            let token = token(prefix, at, number);
                            marks.attempt(&token, || side.write(&token))
                        });
                    }
                }
                Step::Gather(count) => {
                    let tokens: Vec<_> = (0..count).map(|number| token(prefix, at, number)).collect();
                    self.with(|side, marks, _| side.gather(&tokens, marks));
                }
                step => self.with(|side, marks, pin| {
                    let number = if step == Step::Pin { *pin + 1 } else { at };
                    let word = format!("{step:?}").to_lowercase();
                    marks.attempt(&format!("{word}={number}"), || side.act(step, number))?;
                    if step == Step::Pin {
                        *pin = number;
                    }
                    Ok(())
                }),
            }
        }
        // Dropping would close it, and the process is to end as a kill ends it.
        std::mem::forget(self.side.take());
    }

    fn make(&mut self) {
        for _ in 0..OPENS_MAX {
            let mut made = None;
            let done = self.marks.attempt("made=0", || {
                made = Some(self.site.make()?);
                Ok(())
            });
            self.side = made;
            if done.is_ok() {
                return;
            }
            // It may have come so far that only the answer failed. What is half made is of no use to anybody.
            if self.site.is_there() {
                if self.reopen() {
                    return;
                }
                let _ = std::fs::remove_dir_all(self.site.store());
            }
        }
        self.marks.say("gave-up");
    }

    fn restore(&mut self) {
        for _ in 0..OPENS_MAX {
            if self
                .marks
                .attempt("restored=0", || force::restore(&self.site))
                .is_ok()
            {
                break;
            }
        }
    }

    fn close(&mut self) {
        if let Some(side) = self.side.take() {
            // Whatever closing says, everything acknowledged stays so.
            let _ = self.marks.attempt("close=0", || side.close());
        }
    }

    fn reopen(&mut self) -> bool {
        for _ in 0..OPENS_MAX {
            let mut opened = None;
            let done = self.marks.attempt("open=0", || {
                opened = Some(self.site.open(self.pin)?);
                Ok(())
            });
            if done.is_ok() {
                self.side = opened;
                return true;
            }
            // A change of the PIN that failed may have come far enough.
            if matches!(&done, Err(Refused::Unknown(why)) if why.starts_with("wrong PIN")) {
                self.pin += 1;
            }
            if matches!(&done, Err(Refused::Unknown(why)) if why.contains("holds no enrolment")) {
                return false;
            }
        }
        false
    }

    fn with(&mut self, work: impl FnOnce(&mut dyn Side, &Marks, &mut usize) -> Result<(), Refused>) {
        if self.side.is_none() && !self.reopen() {
            self.marks.say("gave-up");
            return;
        }
        let Some(side) = self.side.as_mut() else { return };
        if let Err(Refused::Unknown(_)) = work(side.as_mut(), self.marks, &mut self.pin) {
            // What a program does after such an answer: it lets go of the store and opens it anew.
            if let Some(side) = self.side.take() {
                let _ = side.close();
            }
        }
    }
}

fn lose_index(store: &Path) {
    let store = if store.join("store").is_dir() {
        store.join("store")
    } else {
        store.to_path_buf()
    };
    for entry in std::fs::read_dir(&store).expect("the store is there").flatten() {
        if entry.file_name().to_string_lossy().starts_with("index-") {
            std::fs::remove_dir_all(entry.path()).expect("the index can be removed");
        }
    }
}

/// What an entry is known by: short, and a collar number where it has to be one.
fn token(prefix: &str, step: usize, number: usize) -> String {
    format!("{prefix}{}", step * 1_000 + number)
}

/// How often an opening that failed is tried again: more often than any fault that passes lasts.
const OPENS_MAX: usize = 12;
