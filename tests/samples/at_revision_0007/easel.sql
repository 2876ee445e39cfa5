BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0007');
CREATE TABLE channel_spending (
	tenant VARCHAR(200) NOT NULL, 
	month VARCHAR(7) NOT NULL, 
	channel VARCHAR(150) NOT NULL, 
	currency VARCHAR(3) NOT NULL, 
	micros BIGINT NOT NULL, 
	CONSTRAINT pk_channel_spending PRIMARY KEY (tenant, month, channel, currency)
);
INSERT INTO "channel_spending" VALUES('journal:w','2026-11','c','CNY',1000000);
CREATE TABLE discord_answers (
	interaction VARCHAR(20) NOT NULL, 
	app VARCHAR(20) NOT NULL, 
	token TEXT NOT NULL, 
	job VARCHAR(64) NOT NULL, 
	created VARCHAR(40) NOT NULL, 
	PRIMARY KEY (interaction)
);
INSERT INTO "discord_answers" VALUES('1002','77','token-of-an-answer','queuestep0','2026-11-30T20:42:03.160119+00:00');
CREATE TABLE discord_asked (
	interaction VARCHAR(20) NOT NULL, 
	request JSON NOT NULL, 
	created VARCHAR(40) NOT NULL, 
	PRIMARY KEY (interaction)
);
INSERT INTO "discord_asked" VALUES('1001','{"key": "ask", "place": {"platform": "journal", "workspace": "w", "channel": "c", "thread": ""}, "person": {"id": "ana", "name": "Ana"}, "locale": "en", "action": "draw", "text": "a form", "given": {}, "attachments": [], "mask": null, "target": null, "index": null, "reply": {}, "is_admin": false, "message": "", "to_us": false, "replied": [], "added": true}','2026-11-30T20:42:03.154426+00:00');
CREATE TABLE discord_direct (
	message BIGINT NOT NULL, 
	channel VARCHAR(30) NOT NULL, 
	workspace VARCHAR(30) NOT NULL, 
	PRIMARY KEY (message)
);
INSERT INTO "discord_direct" VALUES(1234567890123456789,'55','99');
CREATE TABLE discord_kept (
	name VARCHAR(40) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "discord_kept" VALUES('commands','hash');
CREATE TABLE discord_people (
	person VARCHAR(20) NOT NULL, 
	locale VARCHAR(10) NOT NULL, 
	PRIMARY KEY (person)
);
INSERT INTO "discord_people" VALUES('31','id');
CREATE TABLE discord_restricted (
	tenant VARCHAR(200) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	PRIMARY KEY (tenant, "key")
);
INSERT INTO "discord_restricted" VALUES('discord:99','6d2e75f870c44c54f020e6e083e4694ee48939f28ad412871d518ae097a1e013');
CREATE TABLE discord_taken_away (
	reaction VARCHAR(200) NOT NULL, 
	times INTEGER NOT NULL, 
	PRIMARY KEY (reaction)
);
INSERT INTO "discord_taken_away" VALUES('31:m:star',1);
CREATE TABLE drafts (
	tenant VARCHAR(200) NOT NULL, 
	id VARCHAR(40) NOT NULL, 
	request JSON NOT NULL, 
	created DATETIME NOT NULL, 
	used BOOLEAN NOT NULL, 
	CONSTRAINT pk_drafts PRIMARY KEY (tenant, id)
);
INSERT INTO "drafts" VALUES('journal:w','draft00000','{"key": "d", "place": {"platform": "journal", "workspace": "w", "channel": "c", "thread": ""}, "person": {"id": "ana", "name": "Ana"}, "locale": "en", "action": "draw", "text": "a hat", "given": {}, "attachments": [], "mask": null, "target": null, "index": null, "reply": {}, "is_admin": false, "message": "", "to_us": false, "replied": [], "added": true}','2026-11-30 12:00:00.000000',0);
CREATE TABLE ledger (
	tenant VARCHAR(200) NOT NULL, 
	step VARCHAR(40) NOT NULL, 
	kind VARCHAR(10) NOT NULL, 
	person VARCHAR(150) NOT NULL, 
	channel VARCHAR(150) NOT NULL, 
	micros BIGINT NOT NULL, 
	currency VARCHAR(3) NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_ledger PRIMARY KEY (tenant, step, kind)
);
INSERT INTO "ledger" VALUES('journal:w','donestep00','hold','dee','c',200000,'CNY','2026-11-30 12:00:00.000000');
INSERT INTO "ledger" VALUES('journal:w','donestep00','charge','dee','c',200000,'CNY','2026-11-30 12:00:00.000000');
INSERT INTO "ledger" VALUES('journal:w','donestep00','release','dee','c',-200000,'CNY','2026-11-30 12:00:00.000000');
INSERT INTO "ledger" VALUES('journal:w','madestep00','hold','cy','c',200000,'CNY','2026-11-30 12:00:00.000000');
INSERT INTO "ledger" VALUES('journal:w','madestep00','charge','cy','c',200000,'CNY','2026-11-30 12:00:00.000000');
INSERT INTO "ledger" VALUES('journal:w','madestep00','release','cy','c',-200000,'CNY','2026-11-30 12:00:00.000000');
INSERT INTO "ledger" VALUES('journal:w','runstep000','hold','bo','c',200000,'CNY','2026-11-30 12:00:00.000000');
INSERT INTO "ledger" VALUES('journal:w','substep000','hold','eve','c',200000,'CNY','2026-11-30 12:00:00.000000');
INSERT INTO "ledger" VALUES('journal:w','failstep00','hold','dee','c',200000,'CNY','2026-11-30 12:00:00.000000');
INSERT INTO "ledger" VALUES('journal:w','failstep00','release','dee','c',-200000,'CNY','2026-11-30 12:00:00.000000');
INSERT INTO "ledger" VALUES('journal:w','queuestep0','hold','ana','c',200000,'CNY','2026-11-30 12:00:00.000000');
CREATE TABLE messages (
	tenant VARCHAR(200) NOT NULL, 
	channel VARCHAR(150) NOT NULL, 
	message VARCHAR(200) NOT NULL, 
	thread VARCHAR(150) NOT NULL, 
	step VARCHAR(40) NOT NULL, role VARCHAR(10) DEFAULT 'status' NOT NULL, 
	CONSTRAINT pk_messages PRIMARY KEY (tenant, channel, message), 
	CONSTRAINT fk_messages_tenant_step FOREIGN KEY(tenant, step) REFERENCES steps (tenant, id)
);
INSERT INTO "messages" VALUES('journal:w','c','m1','','donestep00','status');
INSERT INTO "messages" VALUES('journal:w','c','m2','','madestep00','status');
INSERT INTO "messages" VALUES('journal:w','c','m3','','runstep000','status');
INSERT INTO "messages" VALUES('journal:w','c','m4','','substep000','status');
INSERT INTO "messages" VALUES('journal:w','c','m5','','failstep00','status');
INSERT INTO "messages" VALUES('journal:w','c','m6','','queuestep0','status');
INSERT INTO "messages" VALUES('journal:w','g','g1','','donestep00','gallery');
CREATE TABLE pictures (
	tenant VARCHAR(200) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	media_type VARCHAR(40) NOT NULL, 
	length INTEGER NOT NULL, 
	url TEXT, 
	url_expires DATETIME, thumbnail VARCHAR(64), 
	CONSTRAINT pk_pictures PRIMARY KEY (tenant, "key")
);
INSERT INTO "pictures" VALUES('journal:w','6d2e75f870c44c54f020e6e083e4694ee48939f28ad412871d518ae097a1e013',16,16,'image/png',82,NULL,NULL,NULL);
CREATE TABLE posting (
	tenant VARCHAR(200) NOT NULL, 
	job VARCHAR(60) NOT NULL, 
	role VARCHAR(10) NOT NULL, at DATETIME, 
	CONSTRAINT pk_posting PRIMARY KEY (tenant, job, role)
);
INSERT INTO "posting" VALUES('journal:w','donestep00','status','2026-11-30 20:42:03.024629');
INSERT INTO "posting" VALUES('journal:w','madestep00','status','2026-11-30 20:42:03.053191');
INSERT INTO "posting" VALUES('journal:w','runstep000','status','2026-11-30 20:42:03.084662');
INSERT INTO "posting" VALUES('journal:w','substep000','status','2026-11-30 20:42:03.101133');
INSERT INTO "posting" VALUES('journal:w','failstep00','status','2026-11-30 20:42:03.115091');
INSERT INTO "posting" VALUES('journal:w','queuestep0','status','2026-11-30 20:42:03.130149');
CREATE TABLE reactions (
	tenant VARCHAR(200) NOT NULL, 
	step VARCHAR(40) NOT NULL, 
	person VARCHAR(150) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_reactions PRIMARY KEY (tenant, step, person, kind, position), 
	CONSTRAINT fk_reactions_tenant_step FOREIGN KEY(tenant, step) REFERENCES steps (tenant, id)
);
INSERT INTO "reactions" VALUES('journal:w','donestep00','ana','vote',0);
INSERT INTO "reactions" VALUES('journal:w','donestep00','bo','favourite',0);
CREATE TABLE sessions (
	tenant VARCHAR(200) NOT NULL, 
	id VARCHAR(300) NOT NULL, 
	head_step VARCHAR(40), 
	head_index INTEGER NOT NULL, 
	last_number INTEGER NOT NULL, 
	CONSTRAINT pk_sessions PRIMARY KEY (tenant, id)
);
INSERT INTO "sessions" VALUES('journal:w','c/@dee','donestep00',0,2);
INSERT INTO "sessions" VALUES('journal:w','c/@cy','madestep00',0,1);
INSERT INTO "sessions" VALUES('journal:w','c/@bo',NULL,0,1);
INSERT INTO "sessions" VALUES('journal:w','c/@eve',NULL,0,1);
INSERT INTO "sessions" VALUES('journal:w','c/@ana',NULL,0,1);
CREATE TABLE slack_bots (
	id INTEGER NOT NULL, 
	client_id VARCHAR(32) NOT NULL, 
	app_id VARCHAR(32) NOT NULL, 
	enterprise_id VARCHAR(32), 
	enterprise_name VARCHAR(200), 
	team_id VARCHAR(32), 
	team_name VARCHAR(200), 
	bot_token VARCHAR(200), 
	bot_id VARCHAR(32), 
	bot_user_id VARCHAR(32), 
	bot_scopes VARCHAR(1000), 
	bot_refresh_token VARCHAR(200), 
	bot_token_expires_at DATETIME, 
	is_enterprise_install BOOLEAN NOT NULL, 
	installed_at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "slack_bots" VALUES(1,'client','A1',NULL,NULL,'T1',NULL,'bot-token-of-t1','B1','UB',NULL,NULL,NULL,0,'2025-11-30 10:53:20.000000');
CREATE TABLE slack_files (
	tenant VARCHAR(200) NOT NULL, 
	job VARCHAR(60) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	file VARCHAR(40) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	channel VARCHAR(40) NOT NULL, 
	ts VARCHAR(40) NOT NULL, 
	PRIMARY KEY (tenant, job, name)
);
INSERT INTO "slack_files" VALUES('slack:E.T1','donestep00','fox.png','F1','6d2e75f870c44c54f020e6e083e4694ee48939f28ad412871d518ae097a1e013','C1','1.5');
CREATE TABLE slack_installations (
	id INTEGER NOT NULL, 
	client_id VARCHAR(32) NOT NULL, 
	app_id VARCHAR(32) NOT NULL, 
	enterprise_id VARCHAR(32), 
	enterprise_name VARCHAR(200), 
	enterprise_url VARCHAR(200), 
	team_id VARCHAR(32), 
	team_name VARCHAR(200), 
	bot_token VARCHAR(200), 
	bot_id VARCHAR(32), 
	bot_user_id VARCHAR(32), 
	bot_scopes VARCHAR(1000), 
	bot_refresh_token VARCHAR(200), 
	bot_token_expires_at DATETIME, 
	user_id VARCHAR(32) NOT NULL, 
	user_token VARCHAR(200), 
	user_scopes VARCHAR(1000), 
	user_refresh_token VARCHAR(200), 
	user_token_expires_at DATETIME, 
	incoming_webhook_url VARCHAR(200), 
	incoming_webhook_channel VARCHAR(200), 
	incoming_webhook_channel_id VARCHAR(200), 
	incoming_webhook_configuration_url VARCHAR(200), 
	is_enterprise_install BOOLEAN NOT NULL, 
	token_type VARCHAR(32), 
	installed_at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "slack_installations" VALUES(1,'client','A1',NULL,NULL,NULL,'T1',NULL,'bot-token-of-t1','B1','UB',NULL,NULL,NULL,'U1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,'2025-11-30 10:53:20.000000');
CREATE TABLE slack_oauth_states (
	id INTEGER NOT NULL, 
	state VARCHAR(200) NOT NULL, 
	expire_at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE spending (
	tenant VARCHAR(200) NOT NULL, 
	day VARCHAR(10) NOT NULL, 
	person VARCHAR(150) NOT NULL, 
	currency VARCHAR(3) NOT NULL, 
	micros BIGINT NOT NULL, 
	steps INTEGER NOT NULL, 
	person_name TEXT NOT NULL, 
	first DATETIME NOT NULL, 
	last DATETIME NOT NULL, 
	CONSTRAINT pk_spending PRIMARY KEY (tenant, day, person, currency)
);
INSERT INTO "spending" VALUES('journal:w','2026-11-30','dee','CNY',200000,2,'Dee','2026-11-30 12:00:00.000000','2026-11-30 12:00:00.000000');
INSERT INTO "spending" VALUES('journal:w','2026-11-30','cy','CNY',200000,1,'Cy','2026-11-30 12:00:00.000000','2026-11-30 12:00:00.000000');
INSERT INTO "spending" VALUES('journal:w','2026-11-30','bo','CNY',200000,1,'Bo','2026-11-30 12:00:00.000000','2026-11-30 12:00:00.000000');
INSERT INTO "spending" VALUES('journal:w','2026-11-30','eve','CNY',200000,1,'Eve','2026-11-30 12:00:00.000000','2026-11-30 12:00:00.000000');
INSERT INTO "spending" VALUES('journal:w','2026-11-30','ana','CNY',200000,1,'Ana','2026-11-30 12:00:00.000000','2026-11-30 12:00:00.000000');
CREATE TABLE step_counts (
	action VARCHAR(40) NOT NULL, 
	model VARCHAR(100) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	count BIGINT NOT NULL, 
	CONSTRAINT pk_step_counts PRIMARY KEY (action, model, state)
);
INSERT INTO "step_counts" VALUES('draw','qwen-image-plus','queued',1);
INSERT INTO "step_counts" VALUES('draw','qwen-image-plus','submitting',1);
INSERT INTO "step_counts" VALUES('draw','qwen-image-plus','running',1);
INSERT INTO "step_counts" VALUES('draw','qwen-image-plus','made',1);
INSERT INTO "step_counts" VALUES('draw','qwen-image-plus','done',1);
INSERT INTO "step_counts" VALUES('draw','qwen-image-plus','failed',1);
CREATE TABLE step_pictures (
	tenant VARCHAR(200) NOT NULL, 
	step VARCHAR(40) NOT NULL, 
	role VARCHAR(10) NOT NULL, 
	position INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_step_pictures PRIMARY KEY (tenant, step, role, position), 
	CONSTRAINT fk_step_pictures_tenant_key FOREIGN KEY(tenant, "key") REFERENCES pictures (tenant, "key"), 
	CONSTRAINT fk_step_pictures_tenant_step FOREIGN KEY(tenant, step) REFERENCES steps (tenant, id)
);
INSERT INTO "step_pictures" VALUES('journal:w','donestep00','output',0,'6d2e75f870c44c54f020e6e083e4694ee48939f28ad412871d518ae097a1e013');
INSERT INTO "step_pictures" VALUES('journal:w','madestep00','output',0,'6d2e75f870c44c54f020e6e083e4694ee48939f28ad412871d518ae097a1e013');
CREATE TABLE steps (
	tenant VARCHAR(200) NOT NULL, 
	id VARCHAR(40) NOT NULL, 
	platform VARCHAR(40) NOT NULL, 
	workspace VARCHAR(150) NOT NULL, 
	channel VARCHAR(150) NOT NULL, 
	thread VARCHAR(150) NOT NULL, 
	session VARCHAR(300) NOT NULL, 
	number INTEGER NOT NULL, 
	person VARCHAR(150) NOT NULL, 
	person_name TEXT NOT NULL, 
	locale VARCHAR(20) NOT NULL, 
	action VARCHAR(40) NOT NULL, 
	prompt TEXT NOT NULL, 
	options JSON NOT NULL, 
	model VARCHAR(100) NOT NULL, 
	account VARCHAR(100) NOT NULL, 
	seed BIGINT NOT NULL, 
	n INTEGER NOT NULL, 
	width INTEGER, 
	height INTEGER, 
	parent VARCHAR(40), 
	parent_index INTEGER NOT NULL, 
	depth INTEGER NOT NULL, 
	reply JSON NOT NULL, 
	notes JSON NOT NULL, 
	created DATETIME NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	priority INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	cancel_requested BOOLEAN NOT NULL, 
	intended DATETIME, 
	submitted DATETIME, 
	finished DATETIME, 
	task_id VARCHAR(200), 
	request_id VARCHAR(200), 
	seconds FLOAT, 
	error VARCHAR(100), 
	error_params JSON, 
	charged VARCHAR(10) NOT NULL, 
	price_micros BIGINT, 
	cost_micros BIGINT, 
	currency VARCHAR(3), 
	outcome JSON, 
	partial VARCHAR(100), chosen INTEGER, deleted DATETIME, announced BOOLEAN DEFAULT 1 NOT NULL, told BOOLEAN DEFAULT 0 NOT NULL, worker VARCHAR(40), slot BOOLEAN DEFAULT 0 NOT NULL, claimed DATETIME, claims INTEGER DEFAULT '0' NOT NULL, refused DATETIME, 
	CONSTRAINT pk_steps PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_steps_tenant_session FOREIGN KEY(tenant, session) REFERENCES sessions (tenant, id)
);
INSERT INTO "steps" VALUES('journal:w','donestep00','journal','w','c','','c/@dee',1,'dee','Dee','en','draw','a white horse','{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}','qwen-image-plus','beijing',0,1,1328,1328,NULL,0,0,'{}','[]','2026-11-30 12:00:00.000000','done',1,1,0,'2026-11-30 12:00:00.000000','2026-11-30 12:00:00.000000','2026-11-30 12:00:00.000000','task-done','r',8.0,NULL,NULL,'yes',200000,200000,'CNY','null',NULL,0,NULL,1,1,'local',0,'2026-11-30 12:00:00.000000',1,NULL);
INSERT INTO "steps" VALUES('journal:w','madestep00','journal','w','c','','c/@cy',1,'cy','Cy','en','draw','a green frog','{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}','qwen-image-plus','beijing',1,1,1328,1328,NULL,0,0,'{}','[]','2026-11-30 12:00:01.000000','made',1,1,0,'2026-11-30 12:00:00.000000','2026-11-30 12:00:00.000000','2026-11-30 12:00:00.000000','task-made','r',9.0,NULL,NULL,'yes',200000,200000,'CNY','null',NULL,NULL,NULL,1,0,'local',0,'2026-11-30 12:00:00.000000',1,NULL);
INSERT INTO "steps" VALUES('journal:w','runstep000','journal','w','c','','c/@bo',1,'bo','Bo','en','draw','a blue bird','{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}','qwen-image-plus','beijing',2,1,1328,1328,NULL,0,0,'{}','[]','2026-11-30 12:00:02.000000','running',1,1,0,'2026-11-30 12:00:00.000000','2026-11-30 12:00:00.000000',NULL,'task-running','r',NULL,NULL,NULL,'no',200000,NULL,'CNY','null',NULL,NULL,NULL,1,0,'local',1,'2026-11-30 12:00:00.000000',1,NULL);
INSERT INTO "steps" VALUES('journal:w','substep000','journal','w','c','','c/@eve',1,'eve','Eve','en','draw','a black cat','{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}','qwen-image-plus','beijing',3,1,1328,1328,NULL,0,0,'{}','[]','2026-11-30 12:00:03.000000','submitting',1,1,0,'2026-11-30 12:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'no',200000,NULL,'CNY',NULL,NULL,NULL,NULL,1,0,'local',1,'2026-11-30 12:00:00.000000',1,NULL);
INSERT INTO "steps" VALUES('journal:w','failstep00','journal','w','c','','c/@dee',2,'dee','Dee','en','draw','a broken wish','{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}','qwen-image-plus','beijing',4,1,1328,1328,NULL,0,0,'{}','[]','2026-11-30 12:00:04.000000','failed',1,0,0,NULL,NULL,'2026-11-30 12:00:00.000000',NULL,NULL,NULL,'provider.refused','{}','no',200000,NULL,'CNY',NULL,NULL,NULL,NULL,1,1,NULL,0,NULL,0,NULL);
INSERT INTO "steps" VALUES('journal:w','queuestep0','journal','w','c','','c/@ana',1,'ana','Ana','en','draw','a red fox','{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}','qwen-image-plus','beijing',5,1,1328,1328,NULL,0,0,'{}','[]','2026-11-30 12:00:05.000000','queued',1,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'no',200000,NULL,'CNY',NULL,NULL,NULL,NULL,1,0,NULL,0,NULL,0,NULL);
CREATE TABLE workspaces (
	tenant VARCHAR(200) NOT NULL, 
	settings JSON NOT NULL, 
	CONSTRAINT pk_workspaces PRIMARY KEY (tenant)
);
INSERT INTO "workspaces" VALUES('journal:w','{"budgets": {}}');
CREATE INDEX ix_ledger_tenant_at ON ledger (tenant, at);
CREATE UNIQUE INDEX ix_steps_tenant_session_number ON steps (tenant, session, number);
CREATE INDEX ix_messages_tenant_step ON messages (tenant, step);
CREATE INDEX ix_drafts_created ON drafts (created);
CREATE INDEX ix_steps_untold ON steps (worker) WHERE told IS 0;
CREATE INDEX ix_steps_slot ON steps (account, model) WHERE slot IS 1;
CREATE INDEX ix_steps_queued ON steps (account, model, priority, created) WHERE state IN ('queued');
CREATE INDEX ix_steps_claimed ON steps (account, model, claimed);
CREATE INDEX ix_steps_line ON steps (account, model, (submitted IS NULL), priority, created, id, tenant) WHERE state IN ('queued', 'submitting', 'running');
CREATE INDEX ix_steps_served ON steps ((submitted IS NULL), priority, created, id, tenant) WHERE state IN ('queued', 'submitting', 'running', 'made');
CREATE INDEX ix_steps_waiting ON steps (tenant, person, created) WHERE state IN ('queued', 'submitting', 'running', 'made');
CREATE INDEX ix_steps_pictured ON steps (tenant, person, created) WHERE state IN ('made', 'done') AND deleted IS NULL;
CREATE INDEX ix_steps_task ON steps (account, model, submitted) WHERE task_id IS NOT NULL;
CREATE INDEX ix_steps_measured ON steps (account, model, finished) WHERE seconds IS NOT NULL;
CREATE INDEX ix_messages_tenant_channel_thread ON messages (tenant, channel, thread);
CREATE INDEX ix_step_pictures_tenant_key ON step_pictures (tenant, "key");
CREATE TRIGGER count_new AFTER INSERT ON steps BEGIN 
    INSERT INTO step_counts (action, model, state, count) VALUES (NEW.action, NEW.model, NEW.state, 1)
    ON CONFLICT (action, model, state) DO UPDATE SET count = step_counts.count + excluded.count;
 END;
CREATE TRIGGER count_gone AFTER DELETE ON steps BEGIN 
    INSERT INTO step_counts (action, model, state, count) VALUES (OLD.action, OLD.model, OLD.state, -1)
    ON CONFLICT (action, model, state) DO UPDATE SET count = step_counts.count + excluded.count;
 END;
CREATE TRIGGER count_moved AFTER UPDATE OF state ON steps WHEN OLD.state <> NEW.state BEGIN 
    INSERT INTO step_counts (action, model, state, count) VALUES (OLD.action, OLD.model, OLD.state, -1)
    ON CONFLICT (action, model, state) DO UPDATE SET count = step_counts.count + excluded.count;
 
    INSERT INTO step_counts (action, model, state, count) VALUES (NEW.action, NEW.model, NEW.state, 1)
    ON CONFLICT (action, model, state) DO UPDATE SET count = step_counts.count + excluded.count;
 END;
CREATE TRIGGER sum_up BEFORE INSERT ON ledger BEGIN 
    INSERT INTO spending (tenant, day, person, currency, micros, steps, person_name, first, last)
    SELECT NEW.tenant, substr(NEW.at, 1, 10), NEW.person, NEW.currency, NEW.micros,
        CASE WHEN EXISTS (
            SELECT 1 FROM ledger AS entry
            WHERE entry.tenant = NEW.tenant AND entry.step = NEW.step AND entry.currency = NEW.currency
            AND substr(entry.at, 1, 10) = substr(NEW.at, 1, 10)
        ) THEN 0 ELSE 1 END,
        steps.person_name, NEW.at, NEW.at
    FROM steps WHERE steps.tenant = NEW.tenant AND steps.id = NEW.step
    ON CONFLICT (tenant, day, person, currency) DO UPDATE SET
        micros = spending.micros + excluded.micros,
        steps = spending.steps + excluded.steps,
        person_name = CASE
            WHEN excluded.last >= spending.last THEN excluded.person_name ELSE spending.person_name END,
        first = CASE WHEN excluded.first < spending.first THEN excluded.first ELSE spending.first END,
        last = CASE WHEN excluded.last > spending.last THEN excluded.last ELSE spending.last END;
    INSERT INTO channel_spending (tenant, month, channel, currency, micros)
    VALUES (NEW.tenant, substr(NEW.at, 1, 7), NEW.channel, NEW.currency, NEW.micros)
    ON CONFLICT (tenant, month, channel, currency) DO UPDATE SET micros = channel_spending.micros + excluded.micros;
 END;
CREATE INDEX ix_posting_at ON posting (at);
CREATE INDEX ix_discord_asked_created ON discord_asked (created);
CREATE INDEX ix_discord_answers_job ON discord_answers (job);
CREATE INDEX ix_discord_answers_created ON discord_answers (created);
CREATE INDEX ix_discord_direct_channel ON discord_direct (channel, message);
CREATE INDEX ix_slack_files_tenant ON slack_files (tenant, channel, ts);
CREATE INDEX slack_bots_idx ON slack_bots (client_id, enterprise_id, team_id, installed_at);
CREATE INDEX slack_installations_idx ON slack_installations (client_id, enterprise_id, team_id, user_id, installed_at);
COMMIT;
