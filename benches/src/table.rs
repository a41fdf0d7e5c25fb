//! Results as Markdown.

use std::fmt;

pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<(String, Vec<f64>)>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|&name| name.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, name: String, numbers: &[f64]) {
        eprintln!("{name}: {numbers:.1?}");
        self.rows.push((name, numbers.to_vec()));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "|---|{}", "---:|".repeat(self.head.len() - 1))?;
        for (name, numbers) in &self.rows {
            write!(f, "| {name} |")?;
            for number in numbers {
                let digits = if number.abs() < 100.0 { 1 } else { 0 };
                match number.is_finite() {
                    true => write!(f, " {number:.digits$} |")?,
                    false => write!(f, " |")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
