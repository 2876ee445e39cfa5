CREATE FUNCTION public.easel_count() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN
            IF TG_OP = 'UPDATE' AND OLD.state = NEW.state THEN RETURN NULL; END IF;
            PERFORM pg_advisory_xact_lock(hashtext('easel'), hashtext('step_counts'));
            IF TG_OP <> 'INSERT' THEN 
    INSERT INTO step_counts (action, model, state, count) VALUES (OLD.action, OLD.model, OLD.state, -1)
    ON CONFLICT (action, model, state) DO UPDATE SET count = step_counts.count + excluded.count;
 END IF;
            IF TG_OP <> 'DELETE' THEN 
    INSERT INTO step_counts (action, model, state, count) VALUES (NEW.action, NEW.model, NEW.state, 1)
    ON CONFLICT (action, model, state) DO UPDATE SET count = step_counts.count + excluded.count;
 END IF;
            RETURN NULL;
        END $$;
CREATE FUNCTION public.easel_sum() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN 
    INSERT INTO spending (tenant, day, person, currency, micros, steps, person_name, first, last)
    SELECT NEW.tenant, left(to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 10), NEW.person, NEW.currency, NEW.micros,
        CASE WHEN EXISTS (
            SELECT 1 FROM ledger AS entry
            WHERE entry.tenant = NEW.tenant AND entry.step = NEW.step AND entry.currency = NEW.currency
            AND left(to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 10) = left(to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 10)
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
    VALUES (NEW.tenant, left(to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 7), NEW.channel, NEW.currency, NEW.micros)
    ON CONFLICT (tenant, month, channel, currency) DO UPDATE SET micros = channel_spending.micros + excluded.micros;
 RETURN NEW; END $$;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.channel_spending (
    tenant character varying(200) NOT NULL,
    month character varying(7) NOT NULL,
    channel character varying(150) NOT NULL,
    currency character varying(3) NOT NULL,
    micros bigint NOT NULL
);
CREATE TABLE public.deliveries (
    number bigint NOT NULL,
    id character varying(400) NOT NULL,
    platform character varying(40) NOT NULL,
    tenant character varying(200) NOT NULL,
    stage character varying(10) NOT NULL,
    worker character varying(40),
    tries integer NOT NULL,
    done timestamp with time zone,
    request json NOT NULL
);
CREATE SEQUENCE public.deliveries_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.deliveries_number_seq OWNED BY public.deliveries.number;
CREATE TABLE public.discord_answers (
    interaction character varying(20) NOT NULL,
    app character varying(20) NOT NULL,
    token text NOT NULL,
    job character varying(64) NOT NULL,
    created character varying(40) NOT NULL
);
CREATE TABLE public.discord_asked (
    interaction character varying(20) NOT NULL,
    request json NOT NULL,
    created character varying(40) NOT NULL
);
CREATE TABLE public.discord_direct (
    message bigint NOT NULL,
    channel character varying(30) NOT NULL,
    workspace character varying(30) NOT NULL
);
CREATE TABLE public.discord_kept (
    name character varying(40) NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.discord_people (
    person character varying(20) NOT NULL,
    locale character varying(10) NOT NULL
);
CREATE TABLE public.discord_restricted (
    tenant character varying(200) NOT NULL,
    key character varying(64) NOT NULL
);
CREATE TABLE public.discord_taken_away (
    reaction character varying(200) NOT NULL,
    times integer NOT NULL
);
CREATE TABLE public.drafts (
    tenant character varying(200) NOT NULL,
    id character varying(40) NOT NULL,
    request json NOT NULL,
    created timestamp with time zone NOT NULL,
    used boolean NOT NULL
);
CREATE TABLE public.ledger (
    tenant character varying(200) NOT NULL,
    step character varying(40) NOT NULL,
    kind character varying(10) NOT NULL,
    person character varying(150) NOT NULL,
    channel character varying(150) NOT NULL,
    micros bigint NOT NULL,
    currency character varying(3) NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.messages (
    tenant character varying(200) NOT NULL,
    channel character varying(150) NOT NULL,
    message character varying(200) NOT NULL,
    thread character varying(150) NOT NULL,
    step character varying(40) NOT NULL,
    role character varying(10) DEFAULT 'status'::character varying NOT NULL
);
CREATE TABLE public.pictures (
    tenant character varying(200) NOT NULL,
    key character varying(64) NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    media_type character varying(40) NOT NULL,
    length integer NOT NULL,
    url text,
    url_expires timestamp with time zone,
    thumbnail character varying(64)
);
CREATE TABLE public.posting (
    tenant character varying(200) NOT NULL,
    job character varying(60) NOT NULL,
    role character varying(10) NOT NULL,
    at timestamp with time zone
);
CREATE TABLE public.reactions (
    tenant character varying(200) NOT NULL,
    step character varying(40) NOT NULL,
    person character varying(150) NOT NULL,
    kind character varying(20) NOT NULL,
    "position" integer NOT NULL
);
CREATE TABLE public.sessions (
    tenant character varying(200) NOT NULL,
    id character varying(300) NOT NULL,
    head_step character varying(40),
    head_index integer NOT NULL,
    last_number integer NOT NULL
);
CREATE TABLE public.slack_bots (
    id integer NOT NULL,
    client_id character varying(32) NOT NULL,
    app_id character varying(32) NOT NULL,
    enterprise_id character varying(32),
    enterprise_name character varying(200),
    team_id character varying(32),
    team_name character varying(200),
    bot_token character varying(200),
    bot_id character varying(32),
    bot_user_id character varying(32),
    bot_scopes character varying(1000),
    bot_refresh_token character varying(200),
    bot_token_expires_at timestamp without time zone,
    is_enterprise_install boolean NOT NULL,
    installed_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.slack_bots_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.slack_bots_id_seq OWNED BY public.slack_bots.id;
CREATE TABLE public.slack_files (
    tenant character varying(200) NOT NULL,
    job character varying(60) NOT NULL,
    name character varying(200) NOT NULL,
    file character varying(40) NOT NULL,
    key character varying(64) NOT NULL,
    channel character varying(40) NOT NULL,
    ts character varying(40) NOT NULL
);
CREATE TABLE public.slack_installations (
    id integer NOT NULL,
    client_id character varying(32) NOT NULL,
    app_id character varying(32) NOT NULL,
    enterprise_id character varying(32),
    enterprise_name character varying(200),
    enterprise_url character varying(200),
    team_id character varying(32),
    team_name character varying(200),
    bot_token character varying(200),
    bot_id character varying(32),
    bot_user_id character varying(32),
    bot_scopes character varying(1000),
    bot_refresh_token character varying(200),
    bot_token_expires_at timestamp without time zone,
    user_id character varying(32) NOT NULL,
    user_token character varying(200),
    user_scopes character varying(1000),
    user_refresh_token character varying(200),
    user_token_expires_at timestamp without time zone,
    incoming_webhook_url character varying(200),
    incoming_webhook_channel character varying(200),
    incoming_webhook_channel_id character varying(200),
    incoming_webhook_configuration_url character varying(200),
    is_enterprise_install boolean NOT NULL,
    token_type character varying(32),
    installed_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.slack_installations_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.slack_installations_id_seq OWNED BY public.slack_installations.id;
CREATE TABLE public.slack_oauth_states (
    id integer NOT NULL,
    state character varying(200) NOT NULL,
    expire_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.slack_oauth_states_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.slack_oauth_states_id_seq OWNED BY public.slack_oauth_states.id;
CREATE TABLE public.spending (
    tenant character varying(200) NOT NULL,
    day character varying(10) NOT NULL,
    person character varying(150) NOT NULL,
    currency character varying(3) NOT NULL,
    micros bigint NOT NULL,
    steps integer NOT NULL,
    person_name text NOT NULL,
    first timestamp with time zone NOT NULL,
    last timestamp with time zone NOT NULL
);
CREATE TABLE public.step_counts (
    action character varying(40) NOT NULL,
    model character varying(100) NOT NULL,
    state character varying(20) NOT NULL,
    count bigint NOT NULL
);
CREATE TABLE public.step_pictures (
    tenant character varying(200) NOT NULL,
    step character varying(40) NOT NULL,
    role character varying(10) NOT NULL,
    "position" integer NOT NULL,
    key character varying(64) NOT NULL
);
CREATE TABLE public.steps (
    tenant character varying(200) NOT NULL,
    id character varying(40) NOT NULL,
    platform character varying(40) NOT NULL,
    workspace character varying(150) NOT NULL,
    channel character varying(150) NOT NULL,
    thread character varying(150) NOT NULL,
    session character varying(300) NOT NULL,
    number integer NOT NULL,
    person character varying(150) NOT NULL,
    person_name text NOT NULL,
    locale character varying(20) NOT NULL,
    action character varying(40) NOT NULL,
    prompt text NOT NULL,
    options json NOT NULL,
    model character varying(100) NOT NULL,
    account character varying(100) NOT NULL,
    seed bigint NOT NULL,
    n integer NOT NULL,
    width integer,
    height integer,
    parent character varying(40),
    parent_index integer NOT NULL,
    depth integer NOT NULL,
    reply json NOT NULL,
    notes json NOT NULL,
    created timestamp with time zone NOT NULL,
    state character varying(20) NOT NULL,
    priority integer NOT NULL,
    attempts integer NOT NULL,
    cancel_requested boolean NOT NULL,
    intended timestamp with time zone,
    submitted timestamp with time zone,
    finished timestamp with time zone,
    task_id character varying(200),
    request_id character varying(200),
    seconds double precision,
    error character varying(100),
    error_params json,
    charged character varying(10) NOT NULL,
    price_micros bigint,
    cost_micros bigint,
    currency character varying(3),
    outcome json,
    partial character varying(100),
    chosen integer,
    deleted timestamp with time zone,
    announced boolean DEFAULT true NOT NULL,
    told boolean DEFAULT false NOT NULL,
    worker character varying(40),
    slot boolean DEFAULT false NOT NULL,
    claimed timestamp with time zone,
    claims integer DEFAULT 0 NOT NULL,
    refused timestamp with time zone
);
CREATE TABLE public.workspaces (
    tenant character varying(200) NOT NULL,
    settings json NOT NULL
);
ALTER TABLE ONLY public.deliveries ALTER COLUMN number SET DEFAULT nextval('public.deliveries_number_seq'::regclass);
ALTER TABLE ONLY public.slack_bots ALTER COLUMN id SET DEFAULT nextval('public.slack_bots_id_seq'::regclass);
ALTER TABLE ONLY public.slack_installations ALTER COLUMN id SET DEFAULT nextval('public.slack_installations_id_seq'::regclass);
ALTER TABLE ONLY public.slack_oauth_states ALTER COLUMN id SET DEFAULT nextval('public.slack_oauth_states_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0007');
INSERT INTO public.channel_spending VALUES ('journal:w', '2026-11', 'c', 'CNY', 1000000);
INSERT INTO public.deliveries VALUES (1, 'journal:w:finished', 'journal', 'journal:w', 'done', '0123456789abcdef0123456789abcdef', 1, '2026-11-30 12:00:00+00', '{}');
INSERT INTO public.deliveries VALUES (2, 'journal:w:accepted', 'journal', 'journal:w', 'accepted', '0123456789abcdef0123456789abcdef', 1, NULL, '{"key": "accepted", "place": {"platform": "journal", "workspace": "w", "channel": "c", "thread": ""}, "person": {"id": "gus", "name": "Gus"}, "locale": "en", "action": "draw", "text": "a silver fish", "given": {}, "attachments": [], "mask": null, "target": null, "index": null, "reply": {}, "is_admin": false, "message": "", "to_us": false, "replied": [], "added": true}');
INSERT INTO public.deliveries VALUES (3, 'journal:w:heard', 'journal', 'journal:w', 'heard', NULL, 0, NULL, '{"key": "heard", "place": {"platform": "journal", "workspace": "w", "channel": "c", "thread": ""}, "person": {"id": "flo", "name": "Flo"}, "locale": "en", "action": "draw", "text": "a yellow duck", "given": {}, "attachments": [], "mask": null, "target": null, "index": null, "reply": {}, "is_admin": false, "message": "", "to_us": false, "replied": [], "added": true}');
INSERT INTO public.discord_answers VALUES ('1002', '77', 'token-of-an-answer', 'queuestep0', '2026-11-30T20:42:05.427592+00:00');
INSERT INTO public.discord_asked VALUES ('1001', '{"key": "ask", "place": {"platform": "journal", "workspace": "w", "channel": "c", "thread": ""}, "person": {"id": "ana", "name": "Ana"}, "locale": "en", "action": "draw", "text": "a form", "given": {}, "attachments": [], "mask": null, "target": null, "index": null, "reply": {}, "is_admin": false, "message": "", "to_us": false, "replied": [], "added": true}', '2026-11-30T20:42:05.425907+00:00');
INSERT INTO public.discord_direct VALUES (1234567890123456789, '55', '99');
INSERT INTO public.discord_kept VALUES ('commands', 'hash');
INSERT INTO public.discord_people VALUES ('31', 'id');
INSERT INTO public.discord_restricted VALUES ('discord:99', '6d2e75f870c44c54f020e6e083e4694ee48939f28ad412871d518ae097a1e013');
INSERT INTO public.discord_taken_away VALUES ('31:m:star', 1);
INSERT INTO public.drafts VALUES ('journal:w', 'draft00000', '{"key": "d", "place": {"platform": "journal", "workspace": "w", "channel": "c", "thread": ""}, "person": {"id": "ana", "name": "Ana"}, "locale": "en", "action": "draw", "text": "a hat", "given": {}, "attachments": [], "mask": null, "target": null, "index": null, "reply": {}, "is_admin": false, "message": "", "to_us": false, "replied": [], "added": true}', '2026-11-30 12:00:00+00', false);
INSERT INTO public.ledger VALUES ('journal:w', 'donestep00', 'hold', 'dee', 'c', 200000, 'CNY', '2026-11-30 12:00:00+00');
INSERT INTO public.ledger VALUES ('journal:w', 'donestep00', 'charge', 'dee', 'c', 200000, 'CNY', '2026-11-30 12:00:00+00');
INSERT INTO public.ledger VALUES ('journal:w', 'donestep00', 'release', 'dee', 'c', -200000, 'CNY', '2026-11-30 12:00:00+00');
INSERT INTO public.ledger VALUES ('journal:w', 'madestep00', 'hold', 'cy', 'c', 200000, 'CNY', '2026-11-30 12:00:00+00');
INSERT INTO public.ledger VALUES ('journal:w', 'madestep00', 'charge', 'cy', 'c', 200000, 'CNY', '2026-11-30 12:00:00+00');
INSERT INTO public.ledger VALUES ('journal:w', 'madestep00', 'release', 'cy', 'c', -200000, 'CNY', '2026-11-30 12:00:00+00');
INSERT INTO public.ledger VALUES ('journal:w', 'runstep000', 'hold', 'bo', 'c', 200000, 'CNY', '2026-11-30 12:00:00+00');
INSERT INTO public.ledger VALUES ('journal:w', 'substep000', 'hold', 'eve', 'c', 200000, 'CNY', '2026-11-30 12:00:00+00');
INSERT INTO public.ledger VALUES ('journal:w', 'failstep00', 'hold', 'dee', 'c', 200000, 'CNY', '2026-11-30 12:00:00+00');
INSERT INTO public.ledger VALUES ('journal:w', 'failstep00', 'release', 'dee', 'c', -200000, 'CNY', '2026-11-30 12:00:00+00');
INSERT INTO public.ledger VALUES ('journal:w', 'queuestep0', 'hold', 'ana', 'c', 200000, 'CNY', '2026-11-30 12:00:00+00');
INSERT INTO public.messages VALUES ('journal:w', 'c', 'm1', '', 'donestep00', 'status');
INSERT INTO public.messages VALUES ('journal:w', 'c', 'm2', '', 'madestep00', 'status');
INSERT INTO public.messages VALUES ('journal:w', 'c', 'm3', '', 'runstep000', 'status');
INSERT INTO public.messages VALUES ('journal:w', 'c', 'm4', '', 'substep000', 'status');
INSERT INTO public.messages VALUES ('journal:w', 'c', 'm5', '', 'failstep00', 'status');
INSERT INTO public.messages VALUES ('journal:w', 'c', 'm6', '', 'queuestep0', 'status');
INSERT INTO public.messages VALUES ('journal:w', 'g', 'g1', '', 'donestep00', 'gallery');
INSERT INTO public.pictures VALUES ('journal:w', '6d2e75f870c44c54f020e6e083e4694ee48939f28ad412871d518ae097a1e013', 16, 16, 'image/png', 82, NULL, NULL, NULL);
INSERT INTO public.posting VALUES ('journal:w', 'donestep00', 'status', '2026-11-30 20:42:05.285924+00');
INSERT INTO public.posting VALUES ('journal:w', 'madestep00', 'status', '2026-11-30 20:42:05.320452+00');
INSERT INTO public.posting VALUES ('journal:w', 'runstep000', 'status', '2026-11-30 20:42:05.344542+00');
INSERT INTO public.posting VALUES ('journal:w', 'substep000', 'status', '2026-11-30 20:42:05.367259+00');
INSERT INTO public.posting VALUES ('journal:w', 'failstep00', 'status', '2026-11-30 20:42:05.380584+00');
INSERT INTO public.posting VALUES ('journal:w', 'queuestep0', 'status', '2026-11-30 20:42:05.394454+00');
INSERT INTO public.reactions VALUES ('journal:w', 'donestep00', 'ana', 'vote', 0);
INSERT INTO public.reactions VALUES ('journal:w', 'donestep00', 'bo', 'favourite', 0);
INSERT INTO public.sessions VALUES ('journal:w', 'c/@cy', 'madestep00', 0, 1);
INSERT INTO public.sessions VALUES ('journal:w', 'c/@bo', NULL, 0, 1);
INSERT INTO public.sessions VALUES ('journal:w', 'c/@eve', NULL, 0, 1);
INSERT INTO public.sessions VALUES ('journal:w', 'c/@dee', 'donestep00', 0, 2);
INSERT INTO public.sessions VALUES ('journal:w', 'c/@ana', NULL, 0, 1);
INSERT INTO public.slack_bots VALUES (1, 'client', 'A1', NULL, NULL, 'T1', NULL, 'bot-token-of-t1', 'B1', 'UB', NULL, NULL, NULL, false, '2025-11-30 10:53:20');
INSERT INTO public.slack_files VALUES ('slack:E.T1', 'donestep00', 'fox.png', 'F1', '6d2e75f870c44c54f020e6e083e4694ee48939f28ad412871d518ae097a1e013', 'C1', '1.5');
INSERT INTO public.slack_installations VALUES (1, 'client', 'A1', NULL, NULL, NULL, 'T1', NULL, 'bot-token-of-t1', 'B1', 'UB', NULL, NULL, NULL, 'U1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, '2025-11-30 10:53:20');
INSERT INTO public.spending VALUES ('journal:w', '2026-11-30', 'cy', 'CNY', 200000, 1, 'Cy', '2026-11-30 12:00:00+00', '2026-11-30 12:00:00+00');
INSERT INTO public.spending VALUES ('journal:w', '2026-11-30', 'bo', 'CNY', 200000, 1, 'Bo', '2026-11-30 12:00:00+00', '2026-11-30 12:00:00+00');
INSERT INTO public.spending VALUES ('journal:w', '2026-11-30', 'eve', 'CNY', 200000, 1, 'Eve', '2026-11-30 12:00:00+00', '2026-11-30 12:00:00+00');
INSERT INTO public.spending VALUES ('journal:w', '2026-11-30', 'dee', 'CNY', 200000, 2, 'Dee', '2026-11-30 12:00:00+00', '2026-11-30 12:00:00+00');
INSERT INTO public.spending VALUES ('journal:w', '2026-11-30', 'ana', 'CNY', 200000, 1, 'Ana', '2026-11-30 12:00:00+00', '2026-11-30 12:00:00+00');
INSERT INTO public.step_counts VALUES ('draw', 'qwen-image-plus', 'done', 1);
INSERT INTO public.step_counts VALUES ('draw', 'qwen-image-plus', 'made', 1);
INSERT INTO public.step_counts VALUES ('draw', 'qwen-image-plus', 'running', 1);
INSERT INTO public.step_counts VALUES ('draw', 'qwen-image-plus', 'submitting', 1);
INSERT INTO public.step_counts VALUES ('draw', 'qwen-image-plus', 'failed', 1);
INSERT INTO public.step_counts VALUES ('draw', 'qwen-image-plus', 'queued', 1);
INSERT INTO public.step_pictures VALUES ('journal:w', 'donestep00', 'output', 0, '6d2e75f870c44c54f020e6e083e4694ee48939f28ad412871d518ae097a1e013');
INSERT INTO public.step_pictures VALUES ('journal:w', 'madestep00', 'output', 0, '6d2e75f870c44c54f020e6e083e4694ee48939f28ad412871d518ae097a1e013');
INSERT INTO public.steps VALUES ('journal:w', 'failstep00', 'journal', 'w', 'c', '', 'c/@dee', 2, 'dee', 'Dee', 'en', 'draw', 'a broken wish', '{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}', 'qwen-image-plus', 'beijing', 4, 1, 1328, 1328, NULL, 0, 0, '{}', '[]', '2026-11-30 12:00:04+00', 'failed', 1, 0, false, NULL, NULL, '2026-11-30 12:00:00+00', NULL, NULL, NULL, 'provider.refused', '{}', 'no', 200000, NULL, 'CNY', NULL, NULL, NULL, NULL, true, true, NULL, false, NULL, 0, NULL);
INSERT INTO public.steps VALUES ('journal:w', 'madestep00', 'journal', 'w', 'c', '', 'c/@cy', 1, 'cy', 'Cy', 'en', 'draw', 'a green frog', '{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}', 'qwen-image-plus', 'beijing', 1, 1, 1328, 1328, NULL, 0, 0, '{}', '[]', '2026-11-30 12:00:01+00', 'made', 1, 1, false, '2026-11-30 12:00:00+00', '2026-11-30 12:00:00+00', '2026-11-30 12:00:00+00', 'task-made', 'r', 9, NULL, NULL, 'yes', 200000, 200000, 'CNY', 'null', NULL, NULL, NULL, true, false, '0123456789abcdef0123456789abcdef', false, '2026-11-30 12:00:00+00', 1, NULL);
INSERT INTO public.steps VALUES ('journal:w', 'runstep000', 'journal', 'w', 'c', '', 'c/@bo', 1, 'bo', 'Bo', 'en', 'draw', 'a blue bird', '{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}', 'qwen-image-plus', 'beijing', 2, 1, 1328, 1328, NULL, 0, 0, '{}', '[]', '2026-11-30 12:00:02+00', 'running', 1, 1, false, '2026-11-30 12:00:00+00', '2026-11-30 12:00:00+00', NULL, 'task-running', 'r', NULL, NULL, NULL, 'no', 200000, NULL, 'CNY', 'null', NULL, NULL, NULL, true, false, '0123456789abcdef0123456789abcdef', true, '2026-11-30 12:00:00+00', 1, NULL);
INSERT INTO public.steps VALUES ('journal:w', 'substep000', 'journal', 'w', 'c', '', 'c/@eve', 1, 'eve', 'Eve', 'en', 'draw', 'a black cat', '{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}', 'qwen-image-plus', 'beijing', 3, 1, 1328, 1328, NULL, 0, 0, '{}', '[]', '2026-11-30 12:00:03+00', 'submitting', 1, 1, false, '2026-11-30 12:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'no', 200000, NULL, 'CNY', NULL, NULL, NULL, NULL, true, false, '0123456789abcdef0123456789abcdef', true, '2026-11-30 12:00:00+00', 1, NULL);
INSERT INTO public.steps VALUES ('journal:w', 'queuestep0', 'journal', 'w', 'c', '', 'c/@ana', 1, 'ana', 'Ana', 'en', 'draw', 'a red fox', '{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}', 'qwen-image-plus', 'beijing', 5, 1, 1328, 1328, NULL, 0, 0, '{}', '[]', '2026-11-30 12:00:05+00', 'queued', 1, 0, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'no', 200000, NULL, 'CNY', NULL, NULL, NULL, NULL, true, false, NULL, false, NULL, 0, NULL);
INSERT INTO public.steps VALUES ('journal:w', 'donestep00', 'journal', 'w', 'c', '', 'c/@dee', 1, 'dee', 'Dee', 'en', 'draw', 'a white horse', '{"n": null, "size": null, "ratio": null, "seed": null, "negative": null, "model": null, "raw": false, "watermark": false, "private": false, "strength": null, "scale": null, "top": null, "bottom": null, "left": null, "right": null, "sketch": false, "mask": null}', 'qwen-image-plus', 'beijing', 0, 1, 1328, 1328, NULL, 0, 0, '{}', '[]', '2026-11-30 12:00:00+00', 'done', 1, 1, false, '2026-11-30 12:00:00+00', '2026-11-30 12:00:00+00', '2026-11-30 12:00:00+00', 'task-done', 'r', 8, NULL, NULL, 'yes', 200000, 200000, 'CNY', 'null', NULL, 0, NULL, true, true, '0123456789abcdef0123456789abcdef', false, '2026-11-30 12:00:00+00', 1, NULL);
INSERT INTO public.workspaces VALUES ('journal:w', '{"budgets": {}}');
SELECT pg_catalog.setval('public.deliveries_number_seq', 3, true);
SELECT pg_catalog.setval('public.slack_bots_id_seq', 1, true);
SELECT pg_catalog.setval('public.slack_installations_id_seq', 1, true);
SELECT pg_catalog.setval('public.slack_oauth_states_id_seq', 1, false);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_id_key UNIQUE (id);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.discord_answers
    ADD CONSTRAINT discord_answers_pkey PRIMARY KEY (interaction);
ALTER TABLE ONLY public.discord_asked
    ADD CONSTRAINT discord_asked_pkey PRIMARY KEY (interaction);
ALTER TABLE ONLY public.discord_direct
    ADD CONSTRAINT discord_direct_pkey PRIMARY KEY (message);
ALTER TABLE ONLY public.discord_kept
    ADD CONSTRAINT discord_kept_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.discord_people
    ADD CONSTRAINT discord_people_pkey PRIMARY KEY (person);
ALTER TABLE ONLY public.discord_restricted
    ADD CONSTRAINT discord_restricted_pkey PRIMARY KEY (tenant, key);
ALTER TABLE ONLY public.discord_taken_away
    ADD CONSTRAINT discord_taken_away_pkey PRIMARY KEY (reaction);
ALTER TABLE ONLY public.channel_spending
    ADD CONSTRAINT pk_channel_spending PRIMARY KEY (tenant, month, channel, currency);
ALTER TABLE ONLY public.drafts
    ADD CONSTRAINT pk_drafts PRIMARY KEY (tenant, id);
ALTER TABLE ONLY public.ledger
    ADD CONSTRAINT pk_ledger PRIMARY KEY (tenant, step, kind);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT pk_messages PRIMARY KEY (tenant, channel, message);
ALTER TABLE ONLY public.pictures
    ADD CONSTRAINT pk_pictures PRIMARY KEY (tenant, key);
ALTER TABLE ONLY public.posting
    ADD CONSTRAINT pk_posting PRIMARY KEY (tenant, job, role);
ALTER TABLE ONLY public.reactions
    ADD CONSTRAINT pk_reactions PRIMARY KEY (tenant, step, person, kind, "position");
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT pk_sessions PRIMARY KEY (tenant, id);
ALTER TABLE ONLY public.spending
    ADD CONSTRAINT pk_spending PRIMARY KEY (tenant, day, person, currency);
ALTER TABLE ONLY public.step_counts
    ADD CONSTRAINT pk_step_counts PRIMARY KEY (action, model, state);
ALTER TABLE ONLY public.step_pictures
    ADD CONSTRAINT pk_step_pictures PRIMARY KEY (tenant, step, role, "position");
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT pk_steps PRIMARY KEY (tenant, id);
ALTER TABLE ONLY public.workspaces
    ADD CONSTRAINT pk_workspaces PRIMARY KEY (tenant);
ALTER TABLE ONLY public.slack_bots
    ADD CONSTRAINT slack_bots_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.slack_files
    ADD CONSTRAINT slack_files_pkey PRIMARY KEY (tenant, job, name);
ALTER TABLE ONLY public.slack_installations
    ADD CONSTRAINT slack_installations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.slack_oauth_states
    ADD CONSTRAINT slack_oauth_states_pkey PRIMARY KEY (id);
CREATE INDEX ix_deliveries_done ON public.deliveries USING btree (done);
CREATE INDEX ix_deliveries_open ON public.deliveries USING btree (number) WHERE ((stage)::text <> 'done'::text);
CREATE INDEX ix_discord_answers_created ON public.discord_answers USING btree (created);
CREATE INDEX ix_discord_answers_job ON public.discord_answers USING btree (job);
CREATE INDEX ix_discord_asked_created ON public.discord_asked USING btree (created);
CREATE INDEX ix_discord_direct_channel ON public.discord_direct USING btree (channel, message);
CREATE INDEX ix_drafts_created ON public.drafts USING btree (created);
CREATE INDEX ix_ledger_tenant_at ON public.ledger USING btree (tenant, at);
CREATE INDEX ix_messages_tenant_channel_thread ON public.messages USING btree (tenant, channel, thread);
CREATE INDEX ix_messages_tenant_step ON public.messages USING btree (tenant, step);
CREATE INDEX ix_posting_at ON public.posting USING btree (at);
CREATE INDEX ix_slack_files_tenant ON public.slack_files USING btree (tenant, channel, ts);
CREATE INDEX ix_step_pictures_tenant_key ON public.step_pictures USING btree (tenant, key);
CREATE INDEX ix_steps_claimed ON public.steps USING btree (account, model, claimed);
CREATE INDEX ix_steps_line ON public.steps USING btree (account, model, ((submitted IS NULL)), priority, created, id, tenant) WHERE ((state)::text = ANY ((ARRAY['queued'::character varying, 'submitting'::character varying, 'running'::character varying])::text[]));
CREATE INDEX ix_steps_measured ON public.steps USING btree (account, model, finished) WHERE (seconds IS NOT NULL);
CREATE INDEX ix_steps_pictured ON public.steps USING btree (tenant, person, created) WHERE (((state)::text = ANY ((ARRAY['made'::character varying, 'done'::character varying])::text[])) AND (deleted IS NULL));
CREATE INDEX ix_steps_queued ON public.steps USING btree (account, model, priority, created) WHERE ((state)::text = 'queued'::text);
CREATE INDEX ix_steps_served ON public.steps USING btree (((submitted IS NULL)), priority, created, id, tenant) WHERE ((state)::text = ANY ((ARRAY['queued'::character varying, 'submitting'::character varying, 'running'::character varying, 'made'::character varying])::text[]));
CREATE INDEX ix_steps_slot ON public.steps USING btree (account, model) WHERE (slot IS TRUE);
CREATE INDEX ix_steps_task ON public.steps USING btree (account, model, submitted) WHERE (task_id IS NOT NULL);
CREATE UNIQUE INDEX ix_steps_tenant_session_number ON public.steps USING btree (tenant, session, number);
CREATE INDEX ix_steps_untold ON public.steps USING btree (worker) WHERE (told IS FALSE);
CREATE INDEX ix_steps_waiting ON public.steps USING btree (tenant, person, created) WHERE ((state)::text = ANY ((ARRAY['queued'::character varying, 'submitting'::character varying, 'running'::character varying, 'made'::character varying])::text[]));
CREATE INDEX slack_bots_idx ON public.slack_bots USING btree (client_id, enterprise_id, team_id, installed_at);
CREATE INDEX slack_installations_idx ON public.slack_installations USING btree (client_id, enterprise_id, team_id, user_id, installed_at);
CREATE CONSTRAINT TRIGGER count_steps AFTER INSERT OR DELETE OR UPDATE OF state ON public.steps DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.easel_count();
CREATE TRIGGER sum_up BEFORE INSERT ON public.ledger FOR EACH ROW EXECUTE FUNCTION public.easel_sum();
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT fk_messages_tenant_step FOREIGN KEY (tenant, step) REFERENCES public.steps(tenant, id);
ALTER TABLE ONLY public.reactions
    ADD CONSTRAINT fk_reactions_tenant_step FOREIGN KEY (tenant, step) REFERENCES public.steps(tenant, id);
ALTER TABLE ONLY public.step_pictures
    ADD CONSTRAINT fk_step_pictures_tenant_key FOREIGN KEY (tenant, key) REFERENCES public.pictures(tenant, key);
ALTER TABLE ONLY public.step_pictures
    ADD CONSTRAINT fk_step_pictures_tenant_step FOREIGN KEY (tenant, step) REFERENCES public.steps(tenant, id);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT fk_steps_tenant_session FOREIGN KEY (tenant, session) REFERENCES public.sessions(tenant, id);
