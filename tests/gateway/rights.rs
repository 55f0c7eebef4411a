//! Rights that end while a socket is open, and organizations that change.

use super::filled;
use crate::support::openwisp::{OpenWisp, Options};
use crate::support::{Credential, FLEET, Gateway, Heard, Socket, eventually};

const OWN: &str = "/ws/loci/location/{location mobile-metro-transit}/";
const OTHER: &str = "/ws/loci/location/{location mobile-harbor}/";
const DEVICE: &str = "/ws/controller/device/{device bus-1}/command";

/// What ends a socket: whose twin listens, where, and what happens in OpenWISP to that `user`, whose
/// session is in the `cookie`, or to what is watched. The last ones reach further than one user.
const ENDS: [(&str, &str, &str, &str); 11] = [
    ("a logout", "root", FLEET, "SessionStore(cookie).flush()"),
    (
        "a new password",
        "dispatcher",
        OWN,
        "user.set_password('another-1234'); user.save()",
    ),
    (
        "a user who is made inactive",
        "operator",
        DEVICE,
        "user.is_active = False; user.save()",
    ),
    (
        "one who is no longer staff",
        "operator",
        FLEET,
        "user.is_staff = False; user.save()",
    ),
    (
        "one whose account expires",
        "dispatcher",
        FLEET,
        "user.expiration_date = now().date() - timedelta(days=2); user.save()",
    ),
    (
        "a right of a group that goes",
        "dispatcher",
        OWN,
        "user.groups.get().permissions.set([])",
    ),
    (
        "a group that is left",
        "dispatcher",
        DEVICE,
        "user.groups.clear()",
    ),
    (
        "an organization that is left",
        "dispatcher",
        OTHER,
        "OrganizationUser.objects.get(user=user, organization__name='Harbor').delete()",
    ),
    (
        "one that is no longer managed",
        "dispatcher",
        OTHER,
        "row = OrganizationUser.objects.get(user=user, organization__name='Harbor'); \
         row.is_admin = False; row.save()",
    ),
    (
        "a location that moves to another organization",
        "operator",
        OWN,
        "change('mobile-metro-transit', organization=location('mobile-harbor').organization)",
    ),
    (
        "an organization that is made inactive",
        "dispatcher",
        OTHER,
        "row = Organization.objects.get(name='Harbor'); row.is_active = False; row.save()",
    ),
];

async fn open(gateway: &Gateway, path: &str, credential: &Credential) -> Result<Socket, u16> {
    let (name, origin) = OpenWisp::origin();
    let headers = [(name, &*origin)];
    Socket::try_open_at_with(gateway.address(), &filled(path), credential, &headers).await
}

#[tokio::test]
async fn a_right_that_ends_ends_the_socket() {
    let mut openwisp = OpenWisp::prepare(Options::default()).await;
    let gateway = Gateway::start(&openwisp, &[]).await;
    let django = &mut openwisp.django;
    let root = django.cookie("session('root')").await;
    let mut other = open(&gateway, FLEET, &root).await.unwrap();
    for (number, (rule, of, path, code)) in ENDS.into_iter().enumerate() {
        let name = format!("twin-{number}");
        django.run(&format!("user = twin({of:?}, {name:?})")).await;
        let credential = django.cookie(&format!("session({name:?})")).await;
        let Credential::Cookie(cookie) = &credential else {
            unreachable!("a cookie")
        };
        let mut socket = open(&gateway, path, &credential).await.unwrap();
        let cookie = format!("cookie = {cookie:?}; ");
        django.run(&(cookie + code)).await;
        // What was sent in the same moment may still come.
        let code = loop {
            if let Heard::Closed(code) = socket.hear().await {
                break code;
            }
        };
        assert_eq!(code, Some(1008), "{rule}");
        let again = open(&gateway, path, &credential).await;
        assert_eq!(again.err(), Some(403), "{rule}");
    }
    // Somebody else's is still open.
    other.ping().await;
}

#[tokio::test]
async fn an_organization_wide_socket_follows_the_organizations_of_its_user() {
    let mut openwisp = OpenWisp::prepare(Options::default()).await;
    let gateway = Gateway::start(&openwisp, &[]).await;
    let django = &mut openwisp.django;
    let operator = django.cookie("session('operator')").await;
    let mut fleet = open(&gateway, FLEET, &operator).await.unwrap();
    django
        .run(
            "user = User.objects.get(username='operator'); harbor = Organization.objects.get(name='Harbor'); \
             row = OrganizationUser(user=user, organization=harbor, is_admin=True); row.save()",
        )
        .await;
    let heard = eventually("the new organization is heard of", async || {
        django.run("move('mobile-harbor', 1, 1)").await;
        let next = fleet.hear_at_last();
        let next = tokio::time::timeout(std::time::Duration::from_millis(200), next);
        next.await.ok()
    })
    .await;
    assert!(format!("{heard:?}").contains("mobile-harbor"), "{heard:?}");
    django.run("row.delete()").await;
    // What was sent before it is not told by anybody any more is still heard.
    eventually("it is no longer", async || {
        django
            .run("move('mobile-harbor', 2, 2); move('mobile-metro-transit', 3, 3)")
            .await;
        let next = fleet.next().await;
        if next["name"] == "mobile-metro-transit" {
            return Some(());
        }
        fleet
            .next_where(|it| it["name"] == "mobile-metro-transit")
            .await;
        None
    })
    .await;
}
