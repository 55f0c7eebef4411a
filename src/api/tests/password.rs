//! Setting a password.

use serde_json::{Value, json};

use super::stage::{ME, PASSWORD, Stage, TOKEN, USERS, new_user};
use crate::config::Config;

/// What is sent to set a password.
fn passwords(current: &Value, new: &str) -> Value {
    json!({"current_password": current, "new_password": new, "confirm_password": new})
}

/// As a real OpenWISP answered the same bodies.
#[tokio::test]
async fn what_is_wrong_with_a_new_password_is_told_in_openwisps_words() {
    let stage = Stage::set_up().await;
    let id = stage.root.make(USERS, new_user("ada")).await;
    let (path, new) = (format!("{USERS}{id}/password/"), "another one 1");
    let required = json!(["This field is required."]);
    let login = json!({"username": "ada", "password": PASSWORD});
    let ada = stage.nobody.post(TOKEN, login).await.expect(200);
    let ada = stage.nobody.with(
        "authorization",
        &format!("Bearer {}", ada["token"].as_str().unwrap()),
    );
    let body = |current: Value| passwords(&current, new);
    for (who, body, told) in [
        (
            &stage.root,
            json!({}),
            json!({"confirm_password": required, "current_password": required, "new_password": required}),
        ),
        (
            &stage.root,
            json!({"current_password": "x", "new_password": new, "confirm_password": "b"}),
            json!({"confirm_password": ["The two password fields didn’t match."]}),
        ),
        (
            &stage.root,
            body(json!("")),
            json!({"current_password": ["This field may not be blank."]}),
        ),
        (
            &ada,
            body(json!("wrong")),
            json!({"current_password":
                ["Your old password was entered incorrectly. Please enter it again."]}),
        ),
        (
            &ada,
            body(json!(null)),
            json!({"current_password": ["This field may not be null."]}),
        ),
        (
            &ada,
            body(json!(new)),
            json!({"new_password": ["New password cannot be the same as your old password."]}),
        ),
        (
            &ada,
            json!({"current_password": PASSWORD, "new_password": "ADA", "confirm_password": "ADA"}),
            json!({"new_password": [
                "This password is too short. It must contain at least 8 characters.",
                "The password is too similar to the username.",
            ]}),
        ),
    ] {
        let answer = who.put(&path, body.clone()).await;
        assert_eq!(answer.expect(400), told, "{body}");
    }
    let told = ada.put(&path, body(json!(PASSWORD))).await.expect(200);
    assert_eq!(
        told,
        json!({"status": "Success", "message": "Password updated successfully"})
    );
    ada.get(ME).await.expect(401);
    for (password, status) in [(PASSWORD, 400), (new, 200)] {
        let login = json!({"username": "ada", "password": password});
        stage.nobody.post(TOKEN, login).await.expect(status);
    }
    let others =
        json!({"current_password": null, "new_password": PASSWORD, "confirm_password": PASSWORD});
    stage.root.patch(&path, others.clone()).await.expect(200);
    stage.operator.patch(&path, others).await.expect(403);
}

#[tokio::test]
async fn guesses_of_the_own_password_are_counted_as_log_ins_are() {
    let mut config = Config::default();
    config.login.attempts_per_user = 2;
    let stage = Stage::set_up_with(config).await;
    let path = format!("{USERS}{}/password/", stage.id_of("operator").await);
    let body = |current: &str| passwords(&json!(current), "another one");
    for status in [400, 400, 429] {
        stage
            .operator
            .put(&path, body("wrong"))
            .await
            .expect(status);
    }
    stage.operator.put(&path, body(PASSWORD)).await.expect(429);
}
