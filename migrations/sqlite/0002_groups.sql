-- The two groups that OpenWISP has from the start, with its rights (of version 1.3) for what we
-- have. They are made once: who alters or removes them keeps it so.

INSERT INTO groups (id, name) VALUES (randomblob(16), 'Operator');
WITH given (permission) AS (VALUES
    ('config.add_device'),
    ('config.change_device'),
    ('config.delete_device'),
    ('connection.add_command'),
    ('connection.view_command'),
    ('connection.add_deviceconnection'),
    ('connection.change_deviceconnection'),
    ('connection.delete_deviceconnection'),
    ('connection.view_deviceconnection'),
    ('geo.add_location'),
    ('geo.change_location'),
    ('geo.delete_location'),
    ('geo.add_devicelocation'),
    ('geo.change_devicelocation'),
    ('geo.delete_devicelocation'),
    ('openwisp_users.view_organization')
)
INSERT INTO group_permission (group_id, permission)
SELECT groups.id, given.permission FROM groups, given WHERE groups.name = 'Operator';

INSERT INTO groups (id, name) VALUES (randomblob(16), 'Administrator');
WITH given (permission) AS (VALUES
    ('config.add_device'),
    ('config.change_device'),
    ('config.delete_device'),
    ('connection.add_command'),
    ('connection.change_command'),
    ('connection.delete_command'),
    ('connection.view_command'),
    ('connection.add_credentials'),
    ('connection.change_credentials'),
    ('connection.delete_credentials'),
    ('connection.view_credentials'),
    ('connection.add_deviceconnection'),
    ('connection.change_deviceconnection'),
    ('connection.delete_deviceconnection'),
    ('connection.view_deviceconnection'),
    ('geo.add_location'),
    ('geo.change_location'),
    ('geo.delete_location'),
    ('geo.add_devicelocation'),
    ('geo.change_devicelocation'),
    ('geo.delete_devicelocation'),
    ('openwisp_users.view_group'),
    ('openwisp_users.change_organization'),
    ('openwisp_users.add_user'),
    ('openwisp_users.change_user'),
    ('openwisp_users.delete_user'),
    ('openwisp_users.view_user'),
    ('openwisp_users.add_organizationuser'),
    ('openwisp_users.change_organizationuser'),
    ('openwisp_users.delete_organizationuser'),
    ('openwisp_users.view_organizationuser')
)
INSERT INTO group_permission (group_id, permission)
SELECT groups.id, given.permission FROM groups, given WHERE groups.name = 'Administrator';
