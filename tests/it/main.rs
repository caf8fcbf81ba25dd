//! One binary for all tests that go through files, processes or servers.

mod cli_directory;
mod cli_file;
mod cli_find;
mod cli_folder;
mod cli_log_file;
