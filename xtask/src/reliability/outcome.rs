//! How a run ended, as its JSON file says it, or as can be read from what it printed.

use serde_json::{Map, Value, json};

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// Which run.
    pub(super) name: String,
    /// How to repeat it.
    pub(super) command: String,
    /// Whether it found nothing wrong.
    pub(super) passed: bool,
    /// How long it took.
    pub(super) seconds: u64,
    /// Its last line.
    pub(super) summary: String,
    /// Its figures, by name.
    pub(super) figures: Vec<(String, Value)>,
    /// What is listed by more than a name.
    pub(super) tables: Vec<Table>,
}

/// A table of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Outcome {
    /// Reads the JSON file of a run.
    pub(super) fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let word = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let members = |name: &str| match value.get(name) {
            Some(Value::Object(members)) => members.clone(),
            _ => Map::new(),
        };
        let tables = value.get("tables").and_then(Value::as_array);
        Some(Self {
            name: word("name")?,
            command: word("command")?,
            passed: value.get("passed")?.as_bool()?,
            seconds: value.get("seconds")?.as_u64()?,
            summary: word("summary")?,
            figures: members("figures").into_iter().collect(),
            tables: tables.into_iter().flatten().filter_map(Table::read).collect(),
        })
    }

    /// Takes what a run printed: its last line, and the JSON before that, if there is any.
    pub(super) fn of_output(name: &str, command: &str, passed: bool, seconds: u64, said: &[String]) -> Self {
        let summary = said.iter().rev().find(|line| !line.trim().is_empty());
        let mut outcome = Self {
            name: name.to_owned(),
            command: command.to_owned(),
            passed,
            seconds,
            summary: summary.cloned().unwrap_or_else(|| "it said nothing".to_owned()),
            figures: Vec::new(),
            tables: Vec::new(),
        };
        match printed(said) {
            Some(Value::Object(members)) => members
                .into_iter()
                .for_each(|(name, value)| outcome.take(name, value)),
            Some(list @ Value::Array(_)) => outcome.take(name.to_owned(), list),
            _ => {}
        }
        outcome
    }

    /// The JSON file.
    pub(super) fn json(&self) -> String {
        let figures: Map<String, Value> = self.figures.iter().cloned().collect();
        let tables: Vec<Value> = self.tables.iter().map(Table::json).collect();
        let object = json!({
            "name": self.name,
            "command": self.command,
            "passed": self.passed,
            "seconds": self.seconds,
            "summary": self.summary,
            "figures": figures,
            "tables": tables,
        });
        format!("{object:#}\n")
    }

    /// A member is a figure, or a table where it has members or elements of its own.
    fn take(&mut self, name: String, value: Value) {
        let name = name.replace('_', " ");
        match value {
            Value::Object(members) => self.tables.push(Table {
                title: name,
                columns: vec!["name".to_owned(), "count".to_owned()],
                rows: members
                    .into_iter()
                    .map(|(name, value)| vec![name.into(), value])
                    .collect(),
            }),
            Value::Array(elements) if elements.is_empty() => self.figures.push((name, 0.into())),
            Value::Array(elements) if elements.iter().all(Value::is_object) => {
                let columns: Vec<String> = elements
                    .first()
                    .and_then(Value::as_object)
                    .map(|members| members.keys().cloned().collect())
                    .unwrap_or_default();
                let cell =
                    |element: &Value, column: &String| element.get(column).cloned().unwrap_or_default();
                self.tables.push(Table {
                    title: name,
                    rows: elements
                        .iter()
                        .map(|element| columns.iter().map(|column| cell(element, column)).collect())
                        .collect(),
                    columns: columns.iter().map(|column| column.replace('_', " ")).collect(),
                });
            }
            Value::Array(elements) => {
                let words: Vec<String> = elements.iter().map(text).collect();
                self.figures.push((name, words.join(", ").into()));
            }
            single => self.figures.push((name, single)),
        }
    }
}

impl Table {
    fn read(value: &Value) -> Option<Self> {
        let list = |name: &str| value.get(name)?.as_array();
        Some(Self {
            title: value.get("title")?.as_str()?.to_owned(),
            columns: list("columns")?.iter().map(text).collect(),
            rows: list("rows")?
                .iter()
                .filter_map(|row| row.as_array().cloned())
                .collect(),
        })
    }

    fn json(&self) -> Value {
        json!({ "title": self.title, "columns": self.columns, "rows": self.rows })
    }
}

/// A value as a person reads it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => grouped(whole),
            (None, Some(part)) => format!("{part:.1}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// A number with a comma after each three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The JSON among lines: from the first that opens one at its margin to the last that closes it there.
fn printed(said: &[String]) -> Option<Value> {
    for (open, close) in [("{", "}"), ("[", "]")] {
        let from = said.iter().position(|line| line == open);
        let to = said.iter().rposition(|line| line == close);
        if let (Some(from), Some(to)) = (from, to)
            && let Some(lines) = said.get(from..=to)
            && let Ok(value) = serde_json::from_str(&lines.join("\n"))
        {
            return Some(value);
        }
    }
    None
}
