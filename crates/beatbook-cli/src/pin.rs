//! Where the PIN comes from: a file, the environment, or a prompt on the terminal.

use std::fs;
use std::io::IsTerminal as _;
use std::path::Path;

use beatbook_field::Unlock;

use crate::error::Failure;

/// The PIN of a notebook, as text: it may have to be handed to the holder.
pub(crate) fn present(file: Option<&Path>) -> Result<String, Failure> {
    match given(file, PIN)? {
        Some(pin) => Ok(pin),
        None => prompt("PIN: "),
    }
}

/// The PIN of a notebook that is being made; a prompt asks twice.
pub(crate) fn first(file: Option<&Path>) -> Result<Unlock, Failure> {
    match given(file, PIN)? {
        Some(pin) => checked(pin).map(Unlock::pin),
        None => chosen("Choose a PIN of six digits or more: ").map(Unlock::pin),
    }
}

/// The PIN that a notebook shall have from now on, as text: it may have to be handed to the holder.
pub(crate) fn next(file: Option<&Path>) -> Result<String, Failure> {
    match given(file, NEW_PIN)? {
        Some(pin) => checked(pin),
        None => chosen("New PIN, of six digits or more: "),
    }
}

/// The first line of a file, or a value of the environment.
fn given(file: Option<&Path>, variable: &str) -> Result<Option<String>, Failure> {
    if let Some(path) = file {
        let text = fs::read_to_string(path).map_err(|source| Failure::File {
            path: path.to_owned(),
            source,
        })?;
        let line = text.lines().next().unwrap_or_default().trim_end().to_owned();
        return match line.is_empty() {
            true => Err(Failure::Usage(format!(
                "{}: its first line is empty: write the PIN there",
                path.display()
            ))),
            false => Ok(Some(line)),
        };
    }
    Ok(std::env::var(variable).ok().filter(|pin| !pin.is_empty()))
}

fn chosen(question: &str) -> Result<String, Failure> {
    let pin = checked(prompt(question)?)?;
    match prompt("The same again: ")? == pin {
        true => Ok(pin),
        false => Err(Failure::Usage("the two PINs differ: begin again".to_owned())),
    }
}

fn prompt(question: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(format!(
            "no PIN was given and there is no terminal to ask on: use --pin-file FILE or {PIN}"
        )));
    }
    Ok(rpassword::prompt_password(question)?)
}

fn checked(pin: String) -> Result<String, Failure> {
    match pin.chars().count() >= PIN_CHARS_MIN {
        true => Ok(pin),
        false => Err(Failure::Usage(format!(
            "the PIN is too short: at least {PIN_CHARS_MIN} characters"
        ))),
    }
}

/// The environment variable that holds the PIN.
pub(crate) const PIN: &str = "BEATBOOK_PIN";
/// The environment variable that holds the PIN to be.
pub(crate) const NEW_PIN: &str = "BEATBOOK_NEW_PIN";
const PIN_CHARS_MIN: usize = 6;
