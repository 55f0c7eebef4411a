//! Users: their shape, what is refused in OpenWISP's words, and who sees whom.

use serde_json::{Value, json};

use super::shape::fits;
use super::stage::{Client, PASSWORD, Stage, TOKEN, USERS, new_user, with};

const NOBODYS: &str = "00000000-0000-0000-0000-000000000000";

#[tokio::test]
async fn a_user_has_openwisps_fields_without_the_password() {
    let stage = Stage::set_up().await;
    let group = stage.app.store.find_group("Operator").await.unwrap().id;
    let body = with(
        new_user("ada"),
        &json!({
            "first_name": "Ada", "last_name": "Lovelace", "is_staff": true,
            "expiration_date": "2999-12-31", "groups": [group],
            "user_permissions": ["geo.view_location"], "birth_date": "1815-12-10", "notes": "x",
            "email_verified": true, "phone_number": null,
            "organization_users": {"organization": stage.own, "is_admin": true},
        }),
    );
    let made = stage.root.post(USERS, body).await.expect(201);
    let shape = json!({
        "id": "<uuid>", "username": "ada", "first_name": "Ada", "last_name": "Lovelace",
        "email": "ada@example.org", "is_active": true, "is_staff": true, "is_superuser": false,
        "expiration_date": "2999-12-31", "date_joined": "<time>", "groups": [group],
        "user_permissions": ["geo.view_location"],
        "organization_users": [{"is_admin": true, "organization": stage.own}],
    });
    assert!(fits(&made, &shape), "{made}");
    let path = format!("{USERS}{}/", made["id"].as_str().unwrap());
    assert_eq!(stage.root.get(&path).await.expect(200), made);
    assert_eq!(stage.root.put(&path, made.clone()).await.expect(200), made);
    let list = stage.root.get(USERS).await.expect(200);
    assert_eq!((&list["count"], &list["results"][0]), (&json!(3), &made));
    let fields = json!({"username": "ada", "password": PASSWORD});
    stage.nobody.post(TOKEN, fields).await.expect(200);
    let change = json!({"expiration_date": "2999-12-31T10:00:00+02:00", "username": "lovelace"});
    let changed = stage.root.patch(&path, change).await.expect(200);
    assert_eq!(
        changed["expiration_date"],
        json!("2999-12-31T08:00:00.000000Z")
    );
    assert_eq!(changed["username"], json!("lovelace"));
    stage.root.delete(&path).await.expect(204);
    let told = stage.root.get(&path).await.expect(404);
    assert_eq!(told, json!({"detail": "No User matches the given query."}));
}

/// As a real OpenWISP answered the same bodies.
#[tokio::test]
async fn what_is_wrong_with_a_user_is_told_in_openwisps_words() {
    let stage = Stage::set_up().await;
    stage.root.make(USERS, new_user("ada")).await;
    let required = json!(["This field is required."]);
    let place = |place: Value| with(new_user("b"), &json!({"organization_users": place}));
    for (body, told) in [
        (
            json!({}),
            json!({"email": required, "password": required, "username": required}),
        ),
        (
            with(new_user("ada"), &json!({"email": "bad"})),
            json!({"email": ["Enter a valid email address."]}),
        ),
        (
            new_user("ada"),
            json!({
                "email": ["user with this email address already exists."],
                "username": ["A user with that username already exists."],
            }),
        ),
        (
            with(new_user("x y!"), &json!({"email": "x@example.org"})),
            json!({"username": ["Enter a valid username. This value may contain only letters, \
                                 numbers, and @/./+/-/_ characters."]}),
        ),
        (
            place(json!({"organization": NOBODYS, "is_admin": false})),
            json!({"organization_users": {"organization":
                [format!("Invalid pk \"{NOBODYS}\" - object does not exist.")]}}),
        ),
        (
            place(json!({"is_admin": false})),
            json!({"organization_users": {"organization": required}}),
        ),
        (
            place(json!("x")),
            json!({"organization_users": {"non_field_errors":
                ["Invalid data. Expected a dictionary, but got str."]}}),
        ),
        (
            with(new_user("b"), &json!({"groups": [NOBODYS]})),
            json!({"groups": [format!("Invalid pk \"{NOBODYS}\" - object does not exist.")]}),
        ),
        (
            with(
                new_user("b"),
                &json!({"expiration_date": "nope", "is_active": "x"}),
            ),
            json!({
                "expiration_date":
                    ["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."],
                "is_active": ["Must be a valid boolean."],
            }),
        ),
    ] {
        let answer = stage.root.post(USERS, body.clone()).await.expect(400);
        assert_eq!(answer, told, "{body}");
    }
    assert_eq!(stage.root.get(USERS).await.expect(200)["count"], json!(3));
}

#[tokio::test]
async fn what_else_is_wrong_with_a_user_is_told_in_the_same_shape() {
    let stage = Stage::set_up().await;
    stage.root.make(USERS, new_user("ada")).await;
    let required = json!(["This field is required."]);
    let places = json!([{"organization": stage.own}, {"organization": stage.own}]);
    for (body, told) in [
        (
            with(
                new_user("b"),
                &json!({"groups": [7], "user_permissions": ["geo.fly"]}),
            ),
            json!({
                "groups": ["Incorrect type. Expected pk value, received int."],
                "user_permissions": ["Invalid pk \"geo.fly\" - object does not exist."],
            }),
        ),
        (
            with(new_user("b"), &json!({"password": "1234567"})),
            json!({"password": [
                "This password is too short. It must contain at least 8 characters.",
                "This password is entirely numeric.",
            ]}),
        ),
        (
            with(
                new_user("b"),
                &json!({"is_staff": 7, "organization_users": places}),
            ),
            json!({
                "is_staff": ["Must be a valid boolean."],
                "organization_users": {"organization": [format!("\"{}\" is there twice.", stage.own)]},
            }),
        ),
    ] {
        let answer = stage.root.post(USERS, body.clone()).await.expect(400);
        assert_eq!(answer, told, "{body}");
    }
    assert_eq!(stage.root.get(USERS).await.expect(200)["count"], json!(3));
    let path = format!("{USERS}{}/", stage.id_of("ada").await);
    for (method, body, told) in [
        ("PUT", json!({}), json!({"username": required})),
        (
            "PATCH",
            json!({"username": "root"}),
            json!({"username": ["A user with that username already exists."]}),
        ),
        (
            "PATCH",
            json!({"email": "nope"}),
            json!({"email": ["Enter a valid email address."]}),
        ),
        (
            "PATCH",
            json!({"password": "something else"}),
            json!({"password": ["A password is set at the path of its own: password/."]}),
        ),
    ] {
        let answer = stage.root.send(method, &path, Some(body.clone())).await;
        assert_eq!(answer.expect(400), told, "{body}");
    }
}

#[tokio::test]
async fn a_list_of_places_states_all_that_the_requester_manages_and_an_object_one() {
    let stage = Stage::set_up().await;
    let administrator = stage.administrator().await;
    let both = json!([
        {"organization": stage.own, "is_admin": false},
        {"organization": stage.other, "is_admin": true},
    ]);
    let body = with(new_user("ada"), &json!({"organization_users": both}));
    let path = format!("{USERS}{}/", stage.root.make(USERS, body).await);
    let places = async |client: &Client| {
        let user = client.get(&path).await.expect(200);
        let mut places = Vec::new();
        for (name, id) in [("own", stage.own), ("other", stage.other)] {
            let all = user["organization_users"].as_array().unwrap();
            let place = all.iter().find(|place| place["organization"] == json!(id));
            if let Some(place) = place {
                places.push((name, place["is_admin"].as_bool().unwrap()));
            }
        }
        places
    };
    assert_eq!(
        places(&administrator).await,
        [("own", false)],
        "others' are not shown"
    );
    for (who, sent, left) in [
        (
            &administrator,
            json!({"organization": stage.own, "is_admin": true}),
            vec![("own", true), ("other", true)],
        ),
        (
            &administrator,
            json!({"organization": stage.own}),
            vec![("own", false), ("other", true)],
        ),
        (
            &administrator,
            json!({"organization": null}),
            vec![("own", false), ("other", true)],
        ),
        (
            &stage.root,
            json!({"organization": stage.other}),
            vec![("own", false), ("other", false)],
        ),
        (
            &stage.root,
            json!([{"organization": stage.other, "is_admin": true}]),
            vec![("other", true)],
        ),
        (
            &stage.root,
            json!([{"organization": stage.own}]),
            vec![("own", false)],
        ),
        (
            &stage.root,
            json!({"organization": stage.other}),
            vec![("own", false), ("other", false)],
        ),
        (&administrator, json!([]), vec![("other", false)]),
    ] {
        let change = json!({"organization_users": sent});
        who.patch(&path, change).await.expect(200);
        assert_eq!(places(&stage.root).await, left, "{sent}");
    }
    administrator.get(&path).await.expect(404);
}

#[tokio::test]
async fn a_manager_sees_and_makes_the_users_of_the_organizations_managed() {
    let stage = Stage::set_up().await;
    let administrator = stage.administrator().await;
    let place = |organization| json!({"organization_users": {"organization": organization}});
    let foreign = stage
        .root
        .make(USERS, with(new_user("foreign"), &place(stage.other)))
        .await;
    let own = administrator
        .make(USERS, with(new_user("own"), &place(stage.own)))
        .await;
    let list = administrator.get(USERS).await.expect(200);
    let names: Vec<_> = list["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["username"])
        .collect();
    assert_eq!(
        names,
        ["own", "administrator", "operator"],
        "newest first, no superuser"
    );
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let path = format!("{USERS}{foreign}/");
        let told = administrator
            .send(method, &path, Some(json!({})))
            .await
            .expect(404);
        assert_eq!(told, json!({"detail": "No User matches the given query."}));
    }
    let filtered = format!("{USERS}?organization={}", stage.other);
    assert_eq!(
        stage.root.get(&filtered).await.expect(200)["count"],
        json!(1)
    );
    assert_eq!(
        administrator.get(&filtered).await.expect(200)["count"],
        json!(0)
    );
    let told = administrator
        .post(USERS, new_user("nowhere"))
        .await
        .expect(400);
    assert_eq!(
        told,
        json!({"organization_users": ["This field is required."]})
    );
    administrator
        .delete(&format!("{USERS}{own}/"))
        .await
        .expect(204);
}

#[tokio::test]
async fn the_last_superuser_stays_one() {
    let stage = Stage::set_up().await;
    let path = format!("{USERS}{}/", stage.id_of("root").await);
    let detail = json!({"detail": "This would leave no superuser."});
    let changes = [
        ("PATCH", json!({"is_superuser": false})),
        ("PATCH", json!({"is_active": false})),
        ("PATCH", json!({"expiration_date": "2999-01-01"})),
        ("DELETE", json!(null)),
    ];
    for (method, body) in &changes {
        let told = stage
            .root
            .send(method, &path, Some(body.clone()))
            .await
            .expect(403);
        assert_eq!(told, detail, "{body}");
    }
    let another = with(new_user("another"), &json!({"is_superuser": true}));
    stage.root.make(USERS, another).await;
    let (method, body) = &changes[0];
    stage
        .root
        .send(method, &path, Some(body.clone()))
        .await
        .expect(200);
}
