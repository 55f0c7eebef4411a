use super::*;
use crate::event::{SessionId, Timestamp, UserId};
use crate::store::transaction::on_write;
use crate::store::{AuditFilter, Keep, NewAccount, StoreError};

const DAY_S: i64 = 24 * 60 * 60;

impl House {
    async fn some_user(&self) -> UserId {
        let username = format!("user {}", Uuid::new_v4().simple());
        let new = NewAccount {
            username,
            ..NewAccount::default()
        };
        self.store.add_user(&new).await.unwrap().id
    }

    async fn log_in(&self, user: UserId) -> SessionId {
        let expires = Timestamp::now().plus_seconds(DAY_S);
        self.store.add_session(user, expires).await.unwrap().0.id
    }

    /// Notes that `count` things of this name were done so many days ago.
    async fn note(&self, name: &str, count: usize, days_ago: i64) {
        let moment = Timestamp::now().plus_seconds(-days_ago * DAY_S);
        let mut write = self.store.write().await.unwrap();
        for _ in 0..count {
            write
                .audit("change", "Device", Uuid::new_v4(), name)
                .await
                .unwrap();
        }
        on_write!(write, connection => {
            sqlx::query("UPDATE audit SET moment = $1 WHERE object = $2")
                .bind(moment).bind(name).execute(connection).await.map(|_| ()).unwrap();
        });
        write.commit().await.unwrap();
    }

    /// The names of what was done, newest first.
    async fn noted(&self) -> Vec<String> {
        let all = AuditFilter {
            most: 1000,
            ..AuditFilter::default()
        };
        let entries = self.store.audit(&all).await.unwrap();
        entries.into_iter().map(|entry| entry.name).collect()
    }
}

over_both! {
    async fn sessions_go_when_they_have_ended(house: House) {
        let users = [house.some_user().await, house.some_user().await, house.some_user().await];
        let [ended, of_old_password, staying] =
            [house.log_in(users[0]).await, house.log_in(users[1]).await, house.log_in(users[2]).await];
        house.store.set_session_expiry(ended, Timestamp::now()).await.unwrap();
        // Where we change a password ourselves, the sessions go at once.
        let mut write = house.store.write().await.unwrap();
        on_write!(write, connection => {
            sqlx::query("UPDATE users SET password_version = password_version + 1 WHERE id = $1")
                .bind(users[1]).execute(connection).await.map(|_| ()).unwrap();
        });
        write.commit().await.unwrap();
        let keep = Keep { commands_days: 1, audit_days: 1 };
        assert_eq!(house.store.clear_away(keep).await.unwrap(), 2);
        for gone in [ended, of_old_password] {
            assert!(matches!(house.store.session(gone).await, Err(StoreError::NotFound(_))));
        }
        assert!(house.store.session(staying).await.is_ok());
    }

    async fn entries_of_the_audit_log_go_at_their_age(house: House) {
        // More than go in one transaction.
        house.note("old", 501, 366).await;
        house.note("young", 1, 364).await;
        let for_ever = Keep { commands_days: 90, audit_days: 0 };
        assert_eq!(house.store.clear_away(for_ever).await.unwrap(), 0);
        assert_eq!(house.noted().await.len(), 502);
        let keep = Keep { audit_days: 365, ..for_ever };
        assert_eq!(house.store.clear_away(keep).await.unwrap(), 501);
        assert_eq!(house.noted().await, ["young"]);
    }
}
