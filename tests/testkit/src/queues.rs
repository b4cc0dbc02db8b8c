//! What a cluster leaves at the RabbitMQ that all tests share.

use std::process::{Command, Stdio};

/// Deletes what the cluster declared. Only the broker's own administrator may list queues; for anybody else they stay, empty.
pub(crate) fn delete(prefix: &str) {
    let program = format!(
        "[rabbit_amqqueue:delete(Q, false, false, <<\"tests\">>) || Q <- rabbit_amqqueue:list(), \
         string:prefix(element(4, element(2, Q)), <<\"{prefix}.\">>) =/= nomatch], \
         [rabbit_exchange:delete(rabbit_misc:r(<<\"/\">>, exchange, E), false, <<\"tests\">>) || E <- [<<\"{prefix}\">>, <<\"{prefix}.inbox\">>]]."
    );
    let mut command = Command::new("rabbitmqctl");
    command.args(["--quiet", "eval", &program]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().ok();
}
