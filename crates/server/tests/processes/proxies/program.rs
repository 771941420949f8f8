//! The proxies as programs, with their documented configurations.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keyward_test_support::{TIMEOUT, Wire, WireAnswer};
use tempfile::TempDir;

use super::{NONE, text};

#[derive(Clone, Copy, Debug)]
pub(super) enum Program {
    Nginx,
    Haproxy,
    Envoy,
    Traefik,
    Caddy,
}

impl Program {
    /// The program's file: the one that `KEYWARD_TEST_ENVOY`, for example, names; or one in
    /// `target/proxies`, which `.ci/run` fills; or an installed one. With `CI=true` it must be there.
    pub(super) fn file(self) -> Option<PathBuf> {
        let name = format!("{self:?}").to_lowercase();
        let variable = format!("KEYWARD_TEST_{}", name.to_uppercase());
        if let Some(file) = std::env::var_os(&variable) {
            return Some(file.into());
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/proxies/bin");
        // Users other than root may not have Debian's folder of servers in PATH.
        let folders = [own].into_iter().chain(std::env::split_paths(&path)).chain(["/usr/sbin".into()]);
        let found = folders.map(|folder| folder.join(&name)).find(|file| file.is_file());
        if found.is_none() {
            let name = name.to_uppercase();
            let message = format!("{name} IS NOT INSTALLED, SO ITS TEST IS SKIPPED; INSTALL IT OR SET {variable}");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
            let _written = writeln!(io::stderr(), "!!! {message} !!!");
        }
        found
    }

    /// Writes the documented configuration with other ports into a folder, and returns the command.
    pub(super) fn command(self, file: &Path, folder: &Path, ports: &Ports) -> Command {
        let path = folder.display();
        let write = |name: &str, text: &str| {
            let file = folder.join(name);
            fs::write(&file, text).unwrap();
            file
        };
        let mut command = Command::new(file);
        match self {
            Self::Nginx => {
                // nginx's temporary files. The packaged nginx keeps them in folders that need root.
                let own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|name| format!("    {name}_temp_path {path}/{name};\n"))
                    .concat();
                let text = ports
                    .insert(include_str!("../../../../../docs/proxies/nginx.conf"))
                    .replace("http {\n", &format!("http {{\n    access_log off;\n{own}"));
                let first = format!("daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log stderr;\n");
                command.arg("-c").arg(write("nginx.conf", &format!("{first}{text}")));
            }
            Self::Haproxy => {
                write("keyward.lua", include_str!("../../../../../docs/proxies/keyward.lua"));
                let text = ports.insert(include_str!("../../../../../docs/proxies/haproxy.cfg"));
                let text = text.replace("/etc/haproxy/", &format!("{path}/"));
                command.args(["-db", "-f"]).arg(write("haproxy.cfg", &text));
            }
            Self::Envoy => {
                let text = ports.insert(include_str!("../../../../../docs/proxies/envoy.yaml"));
                command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "-c"]);
                command.arg(write("envoy.yaml", &text));
            }
            Self::Traefik => {
                let text = ports.insert(include_str!("../../../../../docs/proxies/traefik-dynamic.yaml"));
                write("traefik-dynamic.yaml", &text);
                // The comment at the beginning documents the flags.
                let flags = text.lines().filter_map(|line| line.strip_prefix("#     "));
                command.args(flags.flat_map(str::split_whitespace).filter(|word| word.starts_with("--")));
                command.arg("--global.checkNewVersion=false");
            }
            Self::Caddy => {
                let text = ports.insert(include_str!("../../../../../docs/proxies/Caddyfile"));
                let file = write("Caddyfile", &format!("{{\n\tadmin off\n}}\n{text}"));
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
                command.env("XDG_CONFIG_HOME", folder).env("XDG_DATA_HOME", folder);
            }
        }
        command
    }
}

pub(super) struct Ports {
    pub(super) keyward: u16,
    pub(super) application: u16,
    pub(super) proxy: u16,
}

impl Ports {
    /// Replaces the documented ports.
    pub(super) fn insert(&self, documented: &str) -> String {
        let mut text = documented.to_owned();
        for (old, new) in [("7080", self.keyward), ("8080", self.application), ("8000", self.proxy)] {
            assert!(text.contains(&format!(":{old}")) || text.contains(&format!(": {old}")), "port {old}: {text}");
            // Envoy's configuration has a space before a port.
            text = text.replace(&format!(":{old}"), &format!(":{new}"));
            text = text.replace(&format!(": {old}"), &format!(": {new}"));
        }
        text
    }
}

/// A running proxy. Killed when dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) child: Child,
    pub(super) address: SocketAddr,
    pub(super) _folder: TempDir,
}

impl Proxy {
    pub(super) fn start(program: Program, file: &Path, keyward: SocketAddr, application: SocketAddr) -> Self {
        let folder = TempDir::with_prefix("keyward-proxy-").unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let ports = Ports { keyward: keyward.port(), application: application.port(), proxy: address.port() };
        let mut command = program.command(file, folder.path(), &ports);
        let path = folder.path().join("log");
        let log = File::create(&path).unwrap();
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let mut proxy = Self { child, address, _folder: folder };
        let began = Instant::now();
        // Traefik answers 404 until it has read its configuration.
        while !proxy.call(&text("GET", "/", NONE, "")).is_ok_and(|answer| answer.status != 404) {
            let runs = proxy.child.try_wait().unwrap().is_none() && began.elapsed() < TIMEOUT;
            assert!(runs, "{program:?} does not start: {}", fs::read_to_string(&path).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    pub(super) fn call(&self, message: &str) -> io::Result<WireAnswer> {
        Wire::connect(self.address)?.call(message)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The process may have ended already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}
