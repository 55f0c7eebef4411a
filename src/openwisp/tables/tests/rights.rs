//! Who counts, what they may, and what proves them.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{House, over_both};
use crate::access::{Permission, Resource, User};
use crate::event::{DeviceId, LocationId, OrganizationId, Timestamp, UserId};

fn permission(name: &str) -> String {
    let (app, codename) = name.split_once('.').unwrap();
    format!(
        "(SELECT permission.id FROM auth_permission AS permission
             JOIN django_content_type AS type ON type.id = content_type_id
             WHERE app_label = '{app}' AND codename = '{codename}')"
    )
}

async fn user(house: &House, id: Uuid) -> Option<User> {
    let mut users = house.tables.users([UserId(id)]).await.unwrap();
    users.remove(&UserId(id)).map(|it| it.user)
}

fn names(user: &User) -> Vec<String> {
    Permission::all()
        .filter(|it| user.permissions.allows(*it))
        .map(|it| it.to_string())
        .collect()
}

fn day(from_today: i64) -> String {
    let day = Timestamp::now().plus_seconds(from_today * 86_400);
    day.to_string().split('T').next().unwrap().to_owned()
}

over_both! {
    async fn a_user_has_what_is_given_directly_and_by_groups(house: House) {
        let ada = house.user("ada", "").await;
        let ben = house.user("ben", "is_superuser = true, is_staff = false").await;
        let simple = ada.simple();
        for name in ["config.view_device", "config.view_template", "geo.change_location"] {
            house.alter(format!(
                "INSERT INTO openwisp_users_user_user_permissions (user_id, permission_id)
                 VALUES ('{simple}', {})", permission(name))).await;
        }
        house.alter("INSERT INTO auth_group (name) VALUES ('drivers')").await;
        let group = "(SELECT id FROM auth_group WHERE name = 'drivers')";
        for name in ["config.view_device", "connection.view_command", "geo.view_floorplan"] {
            house.alter(format!(
                "INSERT INTO auth_group_permissions (group_id, permission_id)
                 VALUES ({group}, {})", permission(name))).await;
        }
        house.alter(format!(
            "INSERT INTO openwisp_users_user_groups (user_id, group_id) VALUES ('{simple}', {group})"
        )).await;
        let mut found = house.tables.users([UserId(ada), UserId(ben)]).await.unwrap();
        let ada = found.remove(&UserId(ada)).unwrap();
        assert_eq!(ada.password, "hash of ada");
        assert_eq!(ada.user.username, "ada");
        assert!(ada.user.is_staff && !ada.user.is_superuser);
        // What is changed may be seen.
        let mut expected =
            ["config.view_device", "connection.view_command", "geo.change_location", "geo.view_location"];
        let mut given = names(&ada.user);
        expected.sort_unstable();
        given.sort_unstable();
        assert_eq!(given, expected);
        let ben = found.remove(&UserId(ben)).unwrap().user;
        assert!(!ben.is_staff && ben.is_superuser);
        assert!(names(&ben).is_empty() && ben.manages.is_empty() && ben.member_of.is_empty());
        assert!(!format!("{:?}", house.tables.users([ben.id]).await.unwrap()).contains("hash of"));
    }

    async fn an_admin_or_an_owner_manages_and_an_inactive_organization_does_not_count(house: House) {
        let cat = house.user("cat", "").await;
        let mut made = Vec::new();
        for (name, is_active, is_admin, is_owner) in [
            ("admin", true, true, false),
            ("owner", true, false, true),
            ("both", true, true, true),
            ("member", true, false, false),
            ("inactive", false, true, true),
        ] {
            let organization = house.organization(name, is_active).await;
            house.member(cat, organization, is_admin, is_owner).await;
            made.push(OrganizationId(organization));
        }
        house.organization("other", true).await;
        let cat = user(&house, cat).await.unwrap();
        assert_eq!(cat.manages, made[..3].iter().copied().collect::<BTreeSet<_>>());
        assert_eq!(cat.member_of, BTreeSet::from([made[3]]));
    }

    async fn whoever_is_inactive_or_past_the_last_day_does_not_count(house: House) {
        let today = day(0);
        for (name, other, counts) in [
            ("inactive", "is_active = false".to_owned(), false),
            ("inactive-superuser", "is_active = false, is_superuser = true".to_owned(), false),
            ("over", format!("expiration_date = '{}'", day(-1)), false),
            ("today", format!("expiration_date = '{today}'"), true),
            ("tomorrow", format!("expiration_date = '{}'", day(1)), true),
            ("never", "expiration_date = NULL".to_owned(), true),
        ] {
            let id = house.user(name, &other).await;
            let is_there = user(&house, id).await.is_some();
            // Where midnight came meanwhile, that day is over.
            if name != "today" || day(0) == today {
                assert_eq!(is_there, counts, "{name}");
            }
        }
        assert!(user(&house, Uuid::new_v4()).await.is_none());
    }

    async fn an_old_release_without_last_days_and_tokens_is_understood(house: House) {
        house.alter("DROP INDEX user_active_expiry_idx; DROP TABLE authtoken_token").await;
        house.alter("ALTER TABLE openwisp_users_user DROP COLUMN expiration_date").await;
        let id = house.user("dan", "").await;
        assert!(user(&house, id).await.is_some());
        let tokens = house.tables.users_of_tokens(&["0123456789".to_owned()]).await.unwrap();
        assert!(tokens.is_empty());
        assert!(house.tables.missing(true).await.unwrap().is_empty());
    }

    async fn another_password_is_another_version(house: House) {
        let eve = house.user("eve", "").await;
        let before = user(&house, eve).await.unwrap();
        assert_eq!(user(&house, eve).await.unwrap(), before);
        house.alter(format!(
            "UPDATE openwisp_users_user SET password = 'other' WHERE id = '{}'", eve.simple())).await;
        assert_ne!(user(&house, eve).await.unwrap().password_version, before.password_version);
        // Of two users with one password the versions differ too.
        let fay = house.user("fay", "password = 'other'").await;
        let (eve, fay) = (user(&house, eve).await.unwrap(), user(&house, fay).await.unwrap());
        assert_ne!(eve.password_version, fay.password_version);
    }

    async fn tokens_prove_the_users_they_were_made_for(house: House) {
        let gus = house.user("gus", "").await;
        house.alter(format!(
            "INSERT INTO authtoken_token (key, user_id, created)
             VALUES ('0123456789abcdef', '{}', '2026-11-25 12:00:00')", gus.simple())).await;
        let asked = ["0123456789abcdef".to_owned(), "0123456789abcdeF".to_owned(), "'".to_owned()];
        let found = house.tables.users_of_tokens(&asked).await.unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(asked[0].clone(), UserId(gus))]);
    }

    async fn sessions_that_are_over_are_none(house: House) {
        let now = Timestamp::now();
        for (key, expires) in [("session-over", -1), ("session-open", 60)] {
            let expires = now.plus_seconds(expires).to_string().replace('T', " ");
            house.alter(format!(
                "INSERT INTO django_session (session_key, session_data, expire_date)
                 VALUES ('{key}', 'data of {key}', '{}')", expires.trim_end_matches('Z'))).await;
        }
        let keys = ["session-over", "session-open", "session-none"].map(str::to_owned);
        let found = house.tables.sessions(&keys).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found["session-open"], "data of session-open");
        assert_eq!(house.tables.some_sessions(5).await.unwrap(), ["data of session-open"]);
    }

    async fn devices_and_locations_have_owners(house: House) {
        let organization = OrganizationId(house.organization("owner", true).await);
        let (device, location) = (Uuid::new_v4(), Uuid::new_v4());
        house.device(device, organization.0).await;
        house.location(location, organization.0, "2026-11-25 12:00:00").await;
        let asked = [
            Resource::Device(DeviceId(device)),
            Resource::Location(LocationId(location)),
            Resource::Device(DeviceId(location)),
            Resource::Location(LocationId(device)),
        ];
        let owners = house.tables.owners(&asked).await.unwrap();
        assert_eq!(owners.len(), 2);
        assert_eq!(owners[&asked[0]], organization);
        assert_eq!(owners[&asked[1]], organization);
        let one = BTreeSet::from([organization]);
        let found = house.tables.locations_of(Some(&one)).await.unwrap();
        assert_eq!(found, [(LocationId(location), Some(organization))]);
        assert!(house.tables.locations_of(None).await.unwrap().len() > 1);
        assert!(house.tables.locations_of(Some(&BTreeSet::new())).await.unwrap().is_empty());
        house.alter("ALTER TABLE geo_location RENAME TO kept;
             CREATE TABLE geo_location AS SELECT * FROM kept;
             UPDATE geo_location SET organization_id = NULL").await;
        assert_eq!(house.tables.owners(&asked).await.unwrap().len(), 1);
        let of_nobody = (LocationId(location), None);
        assert!(house.tables.locations_of(None).await.unwrap().contains(&of_nobody));
    }
}
