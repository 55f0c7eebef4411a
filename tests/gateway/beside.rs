//! What is not the sockets' own: the check before the switch, what is handed on, bursts.

use std::collections::BTreeSet;

use super::filled;
use crate::support::openwisp::{OpenWisp, Options};
use crate::support::{Gateway, Socket};

#[tokio::test]
async fn the_check_finds_what_is_there_and_names_the_setting_of_what_is_not() {
    let mut openwisp = OpenWisp::prepare(Options::default()).await;
    let (status, said) = Gateway::prepare(&openwisp, &[]).check();
    assert!(status.success(), "{said}");
    for (key, value, named) in [
        ("GATEWAY__DB_NAME", "/nowhere/openwisp.db", "db_name"),
        (
            "GATEWAY__REDIS_CACHE_URL",
            "redis://127.0.0.1:1/0",
            "redis_cache_url",
        ),
        (
            "GATEWAY__CHANNEL_REDIS_URL",
            "redis://127.0.0.1:1/1",
            "channel_redis_url",
        ),
        ("GATEWAY__SESSION_ENGINE", "file", "session_engine"),
    ] {
        let (status, said) = Gateway::prepare(&openwisp, &[(key, value)]).check();
        assert!(!status.success(), "{key}: {said}");
        assert!(said.contains(named), "{key}: {said}");
    }
    openwisp.redis[0].kill().await;
    let (status, said) = Gateway::prepare(&openwisp, &[]).check();
    assert!(!status.success(), "{said}");
}

#[tokio::test]
async fn other_sockets_are_handed_on_to_daphne() {
    let mut openwisp = OpenWisp::start(Options::default()).await;
    let fallback = format!("http://{}", openwisp.address());
    let gateway = Gateway::start(&openwisp, &[("GATEWAY__FALLBACK", &fallback)]).await;
    let alone = Gateway::start(&openwisp, &[]).await;
    let root = openwisp.django.cookie("session('root')").await;
    let (name, origin) = OpenWisp::origin();
    let headers = [(name, &*origin)];
    let path = "/ws/notification/";
    let refused = Socket::try_open_at_with(alone.address(), path, &root, &headers).await;
    assert_eq!(refused.err(), Some(404));
    let opened = Socket::try_open_at_with(gateway.address(), path, &root, &headers).await;
    let mut socket = opened.ok().unwrap();
    openwisp
        .django
        .run(
            "from openwisp_notifications.signals import notify\n\
             notify.send(sender=User.objects.get(username='operator'), type='generic_message', \
             message='handed on', recipient=User.objects.get(username='root'))",
        )
        .await;
    let heard = socket.next().await;
    assert_eq!(heard["type"], "notification", "{heard}");
    socket.close().await;
    let stranger = crate::support::Credential::Nobody;
    let refused = Socket::try_open_at_with(gateway.address(), path, &stranger, &headers).await;
    assert_eq!(refused.err(), Some(403));
}

/// Sends them as fast as it can, then says so until it is heard; how many were dropped because a hundred
/// waited already, which on a machine that is busy enough nobody can prevent.
const BURST: &str = "
import asyncio, logging

dropped = 0

def count(record):
    global dropped
    dropped += 'over capacity' in record.getMessage()
    return False

logging.getLogger('channels_redis.core').addFilter(count)

async def burst(total):
    layer = get_channel_layer()
    at = str(fixed('device bus-1'))
    async def tell(number):
        data = {'id': str(fixed(f'command {number}')), 'device': at, 'number': number}
        message = {'type': 'send.update', 'model': 'Command', 'data': data}
        await layer.group_send('config.device-' + at, message)
    for number in range(total):
        await tell(number)
    sent = dropped
    for _ in range(20):
        await asyncio.sleep(0.1)
        await tell('end')
    return sent
";

#[tokio::test]
async fn of_a_burst_all_arrive() {
    const TOTAL: usize = 10_000;
    let mut openwisp = OpenWisp::prepare(Options::default()).await;
    // Nobody is slow here: each is to come by itself, none in place of an older one.
    let gateway = Gateway::start(&openwisp, &[("SOCKET__OUTBOX_BYTES", "100000000")]).await;
    let root = openwisp.django.cookie("session('root')").await;
    let (name, origin) = OpenWisp::origin();
    let headers = [(name, &*origin)];
    let path = filled("/ws/controller/device/{device bus-1}/command");
    let opened = Socket::try_open_at_with(gateway.address(), &path, &root, &headers).await;
    let mut socket = opened.ok().unwrap();
    openwisp.django.run(BURST).await;
    let code = format!("async_to_sync(burst)({TOTAL})");
    let heard = async {
        let mut numbers = BTreeSet::new();
        while let Some(number) = socket.next().await["data"]["number"].as_u64() {
            assert!(numbers.insert(number), "{number} came twice");
        }
        numbers.len()
    };
    let (dropped, heard) = tokio::join!(openwisp.django.run(&code), heard);
    let dropped = usize::try_from(dropped.as_u64().unwrap()).unwrap();
    println!("{dropped} of {TOTAL} were dropped by the sender");
    assert_eq!(heard, TOTAL - dropped);
}
