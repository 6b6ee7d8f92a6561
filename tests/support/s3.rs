//! A real S3 server for a test: moto, on a port of 127.0.0.1, with signature checks. It ends with the test. Without
//! moto, the test fails and says what to install.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::sftp::{free_port, wait_for};

pub struct S3 {
    pub port: u16,
    python: PathBuf,
    pub access_key: String,
    pub secret_key: String,
    server: Child,
}

/// Creates the bucket `files` and a user with full access to it, and turns on signature checks.
const PREPARE: &str = r#"
import boto3, json, sys, urllib.request
url = sys.argv[1]
def client(name):
    return boto3.client(name, endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
iam = client("iam")
iam.create_user(UserName="paylater")
key = iam.create_access_key(UserName="paylater")["AccessKey"]
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="paylater", PolicyName="all", PolicyDocument=json.dumps(policy))
client("s3").create_bucket(Bucket="files")
urllib.request.urlopen(urllib.request.Request(url + "/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}))
print(key["AccessKeyId"], key["SecretAccessKey"])
"#;

/// One operation from outside paylater: put KEY, with the bytes on standard input; get KEY; list.
const TOUCH: &str = r#"
import boto3, sys
url, access, secret, verb, key = sys.argv[1:6]
s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=access, aws_secret_access_key=secret)
if verb == "put": s3.put_object(Bucket="files", Key=key, Body=sys.stdin.buffer.read())
if verb == "get": sys.stdout.buffer.write(s3.get_object(Bucket="files", Key=key)["Body"].read())
if verb == "list":
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="files"):
        for item in page.get("Contents", []): print(item["Key"])
"#;

impl S3 {
    pub fn start(folder: &Path) -> S3 {
        let python = python();
        let port = free_port();
        let log = folder.join("moto.log");
        let out = fs::File::create(&log).unwrap();
        let mut command = Command::new(python.with_file_name("moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdin(Stdio::null());
        // Until the keys exist, every request is allowed.
        command.env("INITIAL_NO_AUTH_ACTION_COUNT", "1000").stdout(out.try_clone().unwrap()).stderr(out);
        let server = command.spawn().unwrap();
        let mut s3 = S3 { port, python, access_key: String::new(), secret_key: String::new(), server };
        wait_for(port, || fs::read_to_string(&log).unwrap_or_default());
        let prepared = Command::new(&s3.python).args(["-c", PREPARE, &s3.endpoint()]).output().unwrap();
        let said = String::from_utf8_lossy(&prepared.stdout).into_owned();
        let (access, secret) = said.trim().split_once(' ').unwrap_or_else(|| {
            panic!("preparing moto: {said}{}", String::from_utf8_lossy(&prepared.stderr));
        });
        (s3.access_key, s3.secret_key) = (access.to_owned(), secret.to_owned());
        s3
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the configuration table for one of the server's buckets. The keys come from the environment.
    pub fn table(&self, bucket: &str) -> String {
        format!(
            "[[place]]\nurl = \"s3://{bucket}\"\nendpoint = \"{}\"\naccess_key_env = \"TEST_S3_ACCESS\"\n\
             secret_key_env = \"TEST_S3_SECRET\"\n",
            self.endpoint()
        )
    }

    pub fn env(&self) -> Vec<(String, String)> {
        vec![
            ("TEST_S3_ACCESS".to_owned(), self.access_key.clone()),
            ("TEST_S3_SECRET".to_owned(), self.secret_key.clone()),
        ]
    }

    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.touch("put", key, bytes);
    }

    pub fn get(&self, key: &str) -> String {
        self.touch("get", key, b"")
    }

    /// Returns all keys of the bucket, sorted.
    pub fn list(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.touch("list", "", b"").lines().map(str::to_owned).collect();
        keys.sort();
        keys
    }

    fn touch(&self, verb: &str, key: &str, bytes: &[u8]) -> String {
        let arguments = ["-c", TOUCH, &self.endpoint(), &self.access_key, &self.secret_key, verb, key];
        let mut command = Command::new(&self.python);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{verb} {key}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Returns the Python with moto: `PAYLATER_TEST_PYTHON`, or the environment that `.ci/test` creates.
fn python() -> PathBuf {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/moto/bin/python");
    let python = std::env::var_os("PAYLATER_TEST_PYTHON").map_or(made, PathBuf::from);
    let moto = python.with_file_name("moto_server");
    assert!(
        moto.exists(),
        "no moto_server: python3 -m venv target/moto && target/moto/bin/pip install 'moto[s3,server]==5.2.5'"
    );
    python
}
