//! The program `beatbook`.
mod args;
mod output;
mod reference;
mod teach;
mod time;
mod track;

fn main() {
    use clap::Parser as _;
    let cli = args::Cli::parse();
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let mut output = output::Output::new(&mut out, &mut err, cli.global.json, output::Terminal::default());
    match &cli.command {
        args::Command::Fields(fields) => teach::fields(fields, &mut output).unwrap_or_default(),
        args::Command::Completions(shell) => teach::completions(shell, &mut output).unwrap_or_default(),
        _ => {}
    }
}
