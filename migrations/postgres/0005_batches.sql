-- Batches: one command on many devices. Times are microseconds since 1970-01-01T00:00:00Z.

CREATE TABLE batch (
    id UUID PRIMARY KEY,
    -- The type's name, and its display name at that time.
    type TEXT NOT NULL,
    type_label TEXT NOT NULL,
    -- JSON, secrets masked. The plain input is with each command.
    input TEXT NOT NULL,
    -- What its maker calls it, and writes about it.
    label TEXT NOT NULL,
    notes TEXT NOT NULL,
    -- What the devices were selected by. The things may be gone by now.
    by_devices BOOLEAN NOT NULL,
    organization_id UUID,
    location_id UUID,
    search TEXT,
    created_by UUID REFERENCES users (id) ON DELETE SET NULL,
    created BIGINT NOT NULL
);
CREATE INDEX batch_created ON batch (created, id);
CREATE INDEX batch_created_by ON batch (created_by) WHERE created_by IS NOT NULL;

ALTER TABLE command ADD COLUMN batch_id UUID REFERENCES batch (id) ON DELETE SET NULL;
-- Whose device it was when the command was asked for: between these turns are fair.
ALTER TABLE command ADD COLUMN organization_id UUID;
-- Among those of an organization 0 goes before 1: a single command before those of batches.
ALTER TABLE command ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;

UPDATE command SET organization_id =
    (SELECT device.organization_id FROM device WHERE device.id = command.device_id)
WHERE status IN ('queued', 'running');

CREATE INDEX command_batch ON command (batch_id, status, id) WHERE batch_id IS NOT NULL;
-- With what is asked of a command before it is found to be the next.
CREATE INDEX command_turn ON command (organization_id, rank, created, id, device_id, expires)
    WHERE status = 'queued';
CREATE INDEX command_busy ON command (organization_id) WHERE status = 'running';
-- command_turn takes its place.
DROP INDEX command_queue;

-- What a batch did on each device. Name and organization are as they were: the row outlives the
-- device.
CREATE TABLE batch_device (
    batch_id UUID NOT NULL REFERENCES batch (id) ON DELETE CASCADE,
    device_id UUID NOT NULL,
    device_name TEXT NOT NULL,
    organization_id UUID NOT NULL,
    command_id UUID REFERENCES command (id) ON DELETE SET NULL,
    -- The command's, or skipped.
    status TEXT NOT NULL,
    exit_code INTEGER,
    -- The last line that the command has printed so far, cut off where it is long.
    last_line TEXT NOT NULL,
    -- Why it was skipped.
    reason TEXT,
    modified BIGINT NOT NULL,
    PRIMARY KEY (batch_id, device_id)
);
-- Whoever counts reads nothing else.
CREATE INDEX batch_device_progress ON batch_device (batch_id, status, organization_id, modified);
CREATE INDEX batch_device_command ON batch_device (command_id) WHERE command_id IS NOT NULL;
CREATE INDEX batch_device_open ON batch_device (command_id) WHERE status IN ('queued', 'running');
CREATE INDEX batch_device_organization ON batch_device (organization_id, batch_id);
