BEGIN TRANSACTION;
CREATE TABLE deliveries (
	number INTEGER NOT NULL, 
	id VARCHAR(400) NOT NULL, 
	platform VARCHAR(40) NOT NULL, 
	tenant VARCHAR(200) NOT NULL, 
	stage VARCHAR(10) NOT NULL, 
	worker VARCHAR(40), 
	tries INTEGER NOT NULL, 
	done DATETIME, 
	request JSON NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "deliveries" VALUES(1,'journal:w:finished','journal','journal:w','done','local',1,'2026-11-30 12:00:00.000000','{}');
INSERT INTO "deliveries" VALUES(2,'journal:w:accepted','journal','journal:w','accepted','local',1,NULL,'{"key": "accepted", "place": {"platform": "journal", "workspace": "w", "channel": "c", "thread": ""}, "person": {"id": "gus", "name": "Gus"}, "locale": "en", "action": "draw", "text": "a silver fish", "given": {}, "attachments": [], "mask": null, "target": null, "index": null, "reply": {}, "is_admin": false, "message": "", "to_us": false, "replied": [], "added": true}');
INSERT INTO "deliveries" VALUES(3,'journal:w:heard','journal','journal:w','heard',NULL,0,NULL,'{"key": "heard", "place": {"platform": "journal", "workspace": "w", "channel": "c", "thread": ""}, "person": {"id": "flo", "name": "Flo"}, "locale": "en", "action": "draw", "text": "a yellow duck", "given": {}, "attachments": [], "mask": null, "target": null, "index": null, "reply": {}, "is_admin": false, "message": "", "to_us": false, "replied": [], "added": true}');
CREATE INDEX ix_deliveries_done ON deliveries (done);
CREATE INDEX ix_deliveries_open ON deliveries (number) WHERE stage != 'done';
COMMIT;
