//! stub
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod files;
pub mod jobs;
pub mod mail;
pub mod scheduler;
pub mod store;
