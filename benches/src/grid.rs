//! A table, as text and as markdown.

pub(crate) struct Grid {
    pub(crate) title: String,
    /// How many columns are text, from the first one on; the others are numbers.
    pub(crate) texts: usize,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Grid {
    /// With columns that stand below each other.
    pub(crate) fn text(&self) -> String {
        let widths = self.widths();
        let mut text = format!("\n{}\n", self.title);
        for cells in self.lines() {
            let mut line = String::new();
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(width - cell.chars().count());
                let cell = if column < self.texts {
                    format!("  {cell}{gap}")
                } else {
                    format!("  {gap}{cell}")
                };
                line.push_str(&cell);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("\n**{}**\n\n", self.title);
        for (number, cells) in self.lines().enumerate() {
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
            if number == 0 {
                let column = |column| if column < self.texts { "---|" } else { "---:|" };
                let rule: String = (0..cells.len()).map(column).collect();
                text.push_str(&format!("|{rule}\n"));
            }
        }
        text
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.head).chain(&self.rows)
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![0; self.head.len()];
        for cells in self.lines() {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }
}
