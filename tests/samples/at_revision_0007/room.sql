BEGIN TRANSACTION;
CREATE TABLE channels (
	id VARCHAR(80) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	only_for VARCHAR(80) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "channels" VALUES('general','general','');
INSERT INTO "channels" VALUES('gallery','gallery','');
INSERT INTO "channels" VALUES('dm-ana','','ana');
INSERT INTO "channels" VALUES('dm-bo','','bo');
CREATE TABLE keys (
	hash VARCHAR(64) NOT NULL, 
	person VARCHAR(80), 
	PRIMARY KEY (hash)
);
INSERT INTO "keys" VALUES('564d5088dd0d2a6deb63173c424f06b98d30f3f3fc1a5b4e3b0d1857abb7844a','ana');
INSERT INTO "keys" VALUES('cdb00cbd057b7e51b275f11ae8cd57b062406c360daebb85d1733cff68961e51','bo');
CREATE TABLE marks (
	message INTEGER NOT NULL, 
	emoji VARCHAR(20) NOT NULL, 
	person VARCHAR(80) NOT NULL, 
	PRIMARY KEY (message, emoji, person)
);
INSERT INTO "marks" VALUES(1,'⭐','bo');
CREATE TABLE messages (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	change INTEGER NOT NULL, 
	"key" VARCHAR(200), 
	channel VARCHAR(80) NOT NULL, 
	thread VARCHAR(20) NOT NULL, 
	author VARCHAR(80) NOT NULL, 
	only_for VARCHAR(80) NOT NULL, 
	job VARCHAR(60) NOT NULL, 
	body JSON NOT NULL, 
	created VARCHAR(40) NOT NULL, 
	UNIQUE ("key")
);
INSERT INTO "messages" VALUES(1,3,'k1','general','','ana','','','{"tone": "note", "title": "", "text": "Hello from before", "pictures": [], "buttons": [], "menu": []}','2026-11-30T20:42:03.220+00:00');
INSERT INTO "messages" VALUES(2,2,NULL,'dm-bo','','','bo','job1','{"tone": "note", "title": "", "text": "For Bo alone", "pictures": [], "buttons": [], "menu": []}','2026-11-30T20:42:03.223+00:00');
CREATE TABLE people (
	id VARCHAR(80) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	admin BOOLEAN NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "people" VALUES('ana','Ana',1);
INSERT INTO "people" VALUES('bo','Bo',0);
CREATE TABLE uploads (
	ref VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	media_type VARCHAR(40) NOT NULL, 
	PRIMARY KEY (ref)
);
INSERT INTO "uploads" VALUES('6d2e75f870c44c54f020e6e083e4694ee48939f28ad412871d518ae097a1e013','fox.png',16,16,'image/png');
CREATE INDEX ix_messages_change ON messages (change);
CREATE INDEX ix_messages_job ON messages (job);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('messages',2);
COMMIT;
