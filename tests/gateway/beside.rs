//! What is not the sockets' own: the check before the switch, what is handed on, bursts.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::filled;
use crate::clients::in_repository;
use crate::support::openwisp::{Kind, OpenWisp, Options};
use crate::support::{Credential, FLEET, Gateway, Socket};

const DEVICE: &str = "/ws/controller/device/{device bus-1}/command";

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
    let stranger = Credential::Nobody;
    let refused = Socket::try_open_at_with(gateway.address(), path, &stranger, &headers).await;
    assert_eq!(refused.err(), Some(403));
}

/// Another organization's: the operator's rights suffice for Daphne, and not for us.
const FOREIGN: &str = "/ws/controller/device/{device crane-1}/command";

#[tokio::test]
async fn what_daphne_would_take_for_one_of_our_routes_is_not_handed_on() {
    let mut openwisp = OpenWisp::start(Options::default()).await;
    let fallback = format!("http://{}", openwisp.address());
    let gateway = Gateway::start(&openwisp, &[("GATEWAY__FALLBACK", &fallback)]).await;
    let operator = openwisp.django.cookie("session('operator')").await;
    let (name, origin) = OpenWisp::origin();
    let root = ("daphne-root-path", "/ws/any");
    let foreign = filled(FOREIGN);
    for (path, header, status) in [
        (foreign.replace("command", "comman%64"), None, 404),
        (foreign.replace("/command", "%2Fcommand"), None, 404),
        (foreign.replace("/ws/c", "/ws/%63"), None, 404),
        (format!("{foreign};any"), None, 404),
        (format!("{foreign};"), None, 404),
        ("/ws/loci/locatio%6E/".to_owned(), None, 404),
        ("/ws/loci/location/;any".to_owned(), None, 404),
        // Daphne itself does not know the path, without the header that made it ours.
        (format!("/ws/any{foreign}"), Some(root), 500),
    ] {
        let headers: Vec<_> = [(name, &*origin)].into_iter().chain(header).collect();
        let opened = async |address| {
            let socket = Socket::try_open_at_with(address, &path, &operator, &headers).await;
            socket.map(drop)
        };
        assert_eq!(opened(openwisp.address()).await, Ok(()), "{path}: Daphne");
        assert_eq!(opened(gateway.address()).await, Err(status), "{path}");
    }
}

#[tokio::test]
async fn a_socket_that_was_handed_on_has_its_turn_in_the_drain() {
    let mut openwisp = OpenWisp::start(Options::default()).await;
    let fallback = format!("http://{}", openwisp.address());
    // Its turn is at random within an hour: not while this test runs.
    let settings = [
        ("GATEWAY__FALLBACK", &*fallback),
        ("SERVER__DRAIN_S", "3600"),
    ];
    let mut gateway = Gateway::start(&openwisp, &settings).await;
    let root = openwisp.django.cookie("session('root')").await;
    let mut socket = open(&gateway, "/ws/notification/", &root).await;
    gateway.begin_to_end().await;
    // Without any socket of ours the server would end at once, and cut this one off.
    for _ in 0..20 {
        assert_eq!(socket.ping().await, [""; 0]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    socket.close().await;
    assert!(gateway.exit().await.success());
}

async fn open(gateway: &Gateway, path: &str, credential: &Credential) -> Socket {
    let (name, origin) = OpenWisp::origin();
    let headers = [(name, &*origin)];
    let path = filled(path);
    let opened = Socket::try_open_at_with(gateway.address(), &path, credential, &headers).await;
    opened.unwrap_or_else(|status| panic!("{path} was refused with {status}"))
}

#[tokio::test]
async fn a_message_that_daphne_would_not_send_arrives() {
    let mut openwisp = OpenWisp::prepare(Options::default()).await;
    let gateway = Gateway::start(&openwisp, &[]).await;
    let django = &mut openwisp.django;
    let root = django.cookie("session('root')").await;
    let mut socket = open(&gateway, DEVICE, &root).await;
    django
        .run("command('talkative', 'bus-1'); report('talkative', 'x' * 2_000_000)")
        .await;
    let heard = socket.next().await;
    assert_eq!(heard["data"]["output"].as_str().unwrap().len(), 2_000_000);
}

#[tokio::test]
async fn of_an_older_openwisp_all_six_fields_arrive_and_all_locations_of_an_organization() {
    let mut openwisp = OpenWisp::prepare(Options::default()).await;
    let django = &mut openwisp.django;
    // What tells of its release, and what it does not send.
    django
        .run(
            "from django.db.migrations.recorder import MigrationRecorder\n\
             MigrationRecorder.Migration.objects.filter(app='geo', name__gt='0004').delete()\n\
             def move(name, longitude, latitude):\n    \
                 row = location(name)\n    \
                 place = Point(longitude, latitude, srid=4326)\n    \
                 Location.objects.filter(pk=row.pk).update(geometry=place, modified=now())\n    \
                 message = {'geometry': json.loads(place.geojson), 'address': row.address}\n    \
                 send(f'loci.mobile-location.{row.pk}', {'type': 'send_message', 'message': message})",
        )
        .await;
    let cookies = django.cookies().await;
    let gateway = Gateway::start(&openwisp, &[]).await;
    let single = "/ws/loci/location/{location mobile-metro-transit}/";
    let mut sockets = [
        open(&gateway, single, &cookies["operator"]).await,
        open(&gateway, FLEET, &cookies["operator"]).await,
        open(&gateway, FLEET, &cookies["root"]).await,
    ];
    let mut others = open(&gateway, FLEET, &cookies["member"]).await;
    openwisp
        .django
        .run("move('mobile-metro-transit', 3, 4)")
        .await;
    for socket in &mut sockets {
        let heard = socket.next().await;
        assert_eq!(heard["name"], "mobile-metro-transit", "{heard}");
        assert_eq!(
            heard["geometry"]["coordinates"],
            json!([3.0, 4.0]),
            "{heard}"
        );
        assert_eq!(heard.as_object().unwrap().len(), 6, "{heard}");
    }
    assert_eq!(others.ping().await, [""; 0]);
}

#[tokio::test]
async fn the_rights_in_the_database_that_the_guide_names_suffice() {
    let options = Options {
        database: Kind::PostGis,
        own_postgres: true,
        sessions: "db",
        ..Options::default()
    };
    let mut openwisp = OpenWisp::prepare(options).await;
    let page = std::fs::read_to_string(in_repository("docs/openwisp.md")).unwrap();
    let (_, sql) = page.split_once("\nCREATE ROLE").unwrap();
    let (sql, _) = sql.split_once("```").unwrap();
    let code = format!(
        "connection.cursor().execute({:?})",
        format!("CREATE ROLE{sql}")
    );
    openwisp.django.run(&code).await;
    let user = [("GATEWAY__DB_USER", "fleetwire")];
    let (status, said) = Gateway::prepare(&openwisp, &user).check();
    assert!(status.success(), "{said}");
    let gateway = Gateway::start(&openwisp, &user).await;
    let django = &mut openwisp.django;
    let operator = django.cookie("session('operator')").await;
    let since = "?since=2026-01-01T00:00:00Z";
    let mut moves = open(&gateway, FLEET, &operator).await;
    django
        .run("command('earlier', 'bus-1'); report('earlier', 'x')")
        .await;
    let mut commands = open(&gateway, &format!("{DEVICE}{since}"), &operator).await;
    assert_eq!(commands.next().await["data"]["output"], "x");
    django.run("move('mobile-metro-transit', 5, 6)").await;
    assert_eq!(moves.next().await["name"], "mobile-metro-transit");
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
    let mut socket = open(&gateway, DEVICE, &root).await;
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
