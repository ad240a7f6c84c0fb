package import LinajePluginKit

/// The schema of the catalog: tables, their indexes, and the steps that made them.
///
/// Times end in `_us`: microseconds since 1970 UTC. Ids of 16 bytes and digests are bytes. `*` marks
/// the primary key, `!` a unique key, `?` a column that may be NULL.
///
/// ```
/// experiments      id*  name!  lifecycle  created_at_us  updated_at_us
/// experiment_tags  (experiment_id key)*  value
///
/// runs             id*  experiment_id  name  status  lifecycle  deleted_with_experiment
///                  user_name  principal  parent_id?  started_at_us  ended_at_us?  ended_cause
///                  created_at_us  provenance?                     Provenance as JSON
///                  lease_kind  lease_pid?  lease_start?  lease_timeout_us?  lease_heartbeat_us?
///                  lease_boot?                                    id of the boot of lease_start
///                  lease_supervises                               owner is the worker's parent
///                  process_end?                                   ProcessEnd as JSON
///                  wished_status?                                 RunStatus, said below the owner
///                  deleted_at_us?                                 see RunPurgeSteps
/// run_purges       run_id*  experiment_id  principal  begun_at_us  is_done
/// run_params       (run_id key)*  kind  value                     Param, see ParamTable
/// run_tags         (run_id key)*  value
/// run_datasets     id*  (run_id name identity context)!           DatasetInput
///                  client_digest  source_type  source  schema_json  profile_json  dvc_pointer
///                  size
/// dataset_digests  (dataset_id position)*  algorithm  value
/// dataset_tags     (dataset_id key)*  value
/// run_models       (run_id direction position)*                   ModelLink, "input" or "output"
///                  logged_model_id?  version_id?  uri  step  role
/// run_metrics      (run_id key)*  value?  step  time_us           see SearchSchemaSteps
/// run_metric_lists run_id*  metrics                               the same in one row, MetricList
/// run_mounts       (run_id position)*  path  tree  size  files  mounted_at_us
///
/// logged_models    id*  experiment_id  run_id?  name  status  status_message  model_type  tree?
///                  size  step  principal  created_at_us  updated_at_us  model  tensors
/// logged_model_tags    (logged_model_id key)*  value
/// logged_model_params  (logged_model_id key)*  kind  value
/// logged_model_metrics  (logged_model_id key)*  value?  step  time_us
///
/// registered_models    id*  name!  description  created_at_us  updated_at_us  next_version
/// registered_model_tags  (model_id key)*  value
/// model_versions   id*  (model_id version)!  tree  size  source  source_version_id?  run_id?
///                  logged_model_id?  stage  description  principal  created_at_us
///                  updated_at_us  model  tensors
/// model_version_tags  (version_id key)*  value
/// model_aliases    (model_id alias)*  version
///
/// events           sequence*  canonical  previous_hash  hash      LedgerEvent
///                  model  version  new_name?                      copies of facts, for look-ups
/// ledger_head      single*  sequence  hash                        the last event, so that a
///                                                                 ledger cut short is noticed
/// event_times      sequence*  at_us                               copy of `at`, see EventTimes
/// catalog_idempotency  (principal key)*  request  answer  created_at_us
/// artifact_holds   tree*  reason  principal  placed_at_us         see HoldSteps
/// artifact_leases  tree*  ends_at_us
/// retention_policies  (kind subject)*  …                        see RetentionTable
/// disabled_plugins  (kind name)*  principal  at_us                see PluginTable
/// scan_policies    model_id*  …                                   see ScanPolicyTable
/// risk_acceptances  version_id*  …
/// catalog_counters name*  value                                   internal ids, never used twice
/// ```
///
/// `model` and `tensors` hold a `ModelDescription` as JSON, its tensors apart: lists do not read
/// them. `version_id` and `source_version_id` name the version that a URI pointed at when it was
/// written down, so that a lineage does not follow an alias that moved since.
package enum CatalogSchema {
    /// What the backend files the steps under.
    package static let namespace = "catalog"

    /// All steps, oldest first. A step that was released is never changed.
    package static let migrations = [
        SQLMigration("1 experiments", experiments),
        SQLMigration("2 runs", runs),
        SQLMigration("3 logged models", loggedModels),
        SQLMigration("4 registry", registry),
        SQLMigration("5 ledger", ledger),
        SQLMigration("6 idempotency", idempotency),
        SQLMigration("7 stalled runs", stalledRuns),
        SQLMigration("8 process ends", processEnds),
        EventTimes.migration,
        SearchSchemaSteps.migration,
        RunPurgeSteps.migration,
        SearchSchemaSteps.modelMetrics,
        SearchSchemaSteps.metricLists,
        HoldSteps.migration,
        RemoteTable.migration,
        RetentionTable.migration,
        PluginTable.migration,
        ScanPolicyTable.migration,
    ]

    private static let experiments = [
        """
        CREATE TABLE catalog_counters (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL)
        """,
        """
        CREATE TABLE experiments (
            id BIGINT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            lifecycle TEXT NOT NULL,
            created_at_us BIGINT NOT NULL,
            updated_at_us BIGINT NOT NULL)
        """,
        "CREATE INDEX experiments_by_lifecycle ON experiments (lifecycle, id)",
        tagTable("experiment_tags", "experiment_id BIGINT"),
    ]

    /// Counting stalled runs must not read all runs there ever were.
    private static let stalledRuns = [
        "CREATE INDEX runs_by_stall ON runs (id) WHERE status = 'STALLED'"
    ]

    private static let runs = [
        """
        CREATE TABLE runs (
            id {blob} NOT NULL PRIMARY KEY,
            experiment_id BIGINT NOT NULL,
            name TEXT NOT NULL,
            status TEXT NOT NULL,
            lifecycle TEXT NOT NULL,
            deleted_with_experiment BIGINT NOT NULL DEFAULT 0,
            user_name TEXT NOT NULL,
            principal TEXT NOT NULL,
            parent_id {blob},
            started_at_us BIGINT NOT NULL,
            ended_at_us BIGINT,
            ended_cause TEXT NOT NULL,
            created_at_us BIGINT NOT NULL,
            provenance TEXT,
            lease_kind TEXT NOT NULL,
            lease_pid BIGINT,
            lease_start BIGINT,
            lease_timeout_us BIGINT,
            lease_heartbeat_us BIGINT)
        """,
        "CREATE INDEX runs_by_start ON runs (started_at_us, id)",
        "CREATE INDEX runs_by_experiment ON runs (experiment_id, started_at_us, id)",
        "CREATE INDEX runs_by_parent ON runs (parent_id, started_at_us, id)",
        "CREATE INDEX runs_by_lease ON runs (lease_kind) WHERE lease_kind <> 'detached'",
        paramTable("run_params", "run_id {blob}"),
        tagTable("run_tags", "run_id {blob}"),
        """
        CREATE TABLE run_datasets (
            id BIGINT NOT NULL PRIMARY KEY,
            run_id {blob} NOT NULL,
            name TEXT NOT NULL,
            identity TEXT NOT NULL,
            context TEXT NOT NULL,
            client_digest TEXT NOT NULL,
            source_type TEXT NOT NULL,
            source TEXT NOT NULL,
            schema_json TEXT NOT NULL,
            profile_json TEXT NOT NULL,
            dvc_pointer TEXT NOT NULL,
            size BIGINT NOT NULL,
            UNIQUE (run_id, name, identity, context))
        """,
        """
        CREATE TABLE dataset_digests (
            dataset_id BIGINT NOT NULL,
            position BIGINT NOT NULL,
            algorithm TEXT NOT NULL,
            value {blob} NOT NULL,
            PRIMARY KEY (dataset_id, position))
        """,
        "CREATE INDEX dataset_digests_by_value ON dataset_digests (value, algorithm)",
        tagTable("dataset_tags", "dataset_id BIGINT"),
        """
        CREATE TABLE run_models (
            run_id {blob} NOT NULL,
            direction TEXT NOT NULL,
            position BIGINT NOT NULL,
            logged_model_id {blob},
            version_id BIGINT,
            uri TEXT NOT NULL,
            step BIGINT NOT NULL,
            role TEXT NOT NULL,
            PRIMARY KEY (run_id, direction, position))
        """,
        "CREATE INDEX run_models_by_logged_model ON run_models (logged_model_id, direction)",
        """
        CREATE TABLE run_mounts (
            run_id {blob} NOT NULL,
            position BIGINT NOT NULL,
            path TEXT NOT NULL,
            tree {blob} NOT NULL,
            size BIGINT NOT NULL,
            files BIGINT NOT NULL,
            mounted_at_us BIGINT NOT NULL,
            PRIMARY KEY (run_id, position))
        """,
        "CREATE INDEX run_mounts_by_tree ON run_mounts (tree)",
    ]

    private static let loggedModels = [
        """
        CREATE TABLE logged_models (
            id {blob} NOT NULL PRIMARY KEY,
            experiment_id BIGINT NOT NULL,
            run_id {blob},
            name TEXT NOT NULL,
            status TEXT NOT NULL,
            status_message TEXT NOT NULL,
            model_type TEXT NOT NULL,
            tree {blob},
            size BIGINT NOT NULL,
            step BIGINT NOT NULL,
            principal TEXT NOT NULL,
            created_at_us BIGINT NOT NULL,
            updated_at_us BIGINT NOT NULL,
            model TEXT NOT NULL,
            tensors TEXT NOT NULL)
        """,
        "CREATE INDEX logged_models_by_creation ON logged_models (created_at_us, id)",
        """
        CREATE INDEX logged_models_by_experiment
            ON logged_models (experiment_id, created_at_us, id)
        """,
        "CREATE INDEX logged_models_by_run ON logged_models (run_id, created_at_us, id)",
        "CREATE INDEX logged_models_by_tree ON logged_models (tree)",
        tagTable("logged_model_tags", "logged_model_id {blob}"),
        paramTable("logged_model_params", "logged_model_id {blob}"),
    ]

    private static let registry = [
        """
        CREATE TABLE registered_models (
            id BIGINT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            description TEXT NOT NULL,
            created_at_us BIGINT NOT NULL,
            updated_at_us BIGINT NOT NULL,
            next_version BIGINT NOT NULL)
        """,
        tagTable("registered_model_tags", "model_id BIGINT"),
        """
        CREATE TABLE model_versions (
            id BIGINT NOT NULL PRIMARY KEY,
            model_id BIGINT NOT NULL,
            version BIGINT NOT NULL,
            tree {blob} NOT NULL,
            size BIGINT NOT NULL,
            source TEXT NOT NULL,
            source_version_id BIGINT,
            run_id {blob},
            logged_model_id {blob},
            stage TEXT NOT NULL,
            description TEXT NOT NULL,
            principal TEXT NOT NULL,
            created_at_us BIGINT NOT NULL,
            updated_at_us BIGINT NOT NULL,
            model TEXT NOT NULL,
            tensors TEXT NOT NULL,
            UNIQUE (model_id, version))
        """,
        "CREATE INDEX model_versions_by_model ON model_versions (model_id, id)",
        "CREATE INDEX model_versions_by_stage ON model_versions (model_id, stage, version)",
        "CREATE INDEX model_versions_by_run ON model_versions (run_id, id)",
        """
        CREATE INDEX model_versions_by_logged_model ON model_versions (logged_model_id, id)
        """,
        "CREATE INDEX model_versions_by_tree ON model_versions (tree)",
        tagTable("model_version_tags", "version_id BIGINT"),
        """
        CREATE TABLE model_aliases (
            model_id BIGINT NOT NULL,
            alias TEXT NOT NULL,
            version BIGINT NOT NULL,
            PRIMARY KEY (model_id, alias))
        """,
        "CREATE INDEX model_aliases_by_version ON model_aliases (model_id, version)",
    ]

    private static let ledger = [
        """
        CREATE TABLE events (
            sequence BIGINT NOT NULL PRIMARY KEY,
            canonical {blob} NOT NULL,
            previous_hash {blob} NOT NULL,
            hash {blob} NOT NULL,
            model TEXT NOT NULL,
            version BIGINT NOT NULL,
            new_name TEXT)
        """,
        "CREATE INDEX events_by_model ON events (model, sequence)",
        "CREATE INDEX events_by_version ON events (model, version, sequence)",
        "CREATE INDEX events_by_new_name ON events (new_name) WHERE new_name IS NOT NULL",
        """
        CREATE TABLE ledger_head (
            single BIGINT NOT NULL PRIMARY KEY,
            sequence BIGINT NOT NULL,
            hash {blob} NOT NULL)
        """,
    ]

    private static let idempotency = [
        """
        CREATE TABLE catalog_idempotency (
            principal TEXT NOT NULL,
            key {blob} NOT NULL,
            request {blob} NOT NULL,
            answer {blob} NOT NULL,
            created_at_us BIGINT NOT NULL,
            PRIMARY KEY (principal, key))
        """,
        "CREATE INDEX catalog_idempotency_by_age ON catalog_idempotency (created_at_us)",
    ]

    private static let processEnds = [
        "ALTER TABLE runs ADD COLUMN lease_boot TEXT",
        "ALTER TABLE runs ADD COLUMN lease_supervises BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE runs ADD COLUMN process_end TEXT",
        "ALTER TABLE runs ADD COLUMN wished_status TEXT",
    ]

    private static func tagTable(_ name: String, _ owner: String) -> String {
        let column = owner.split(separator: " ")[0]
        return """
            CREATE TABLE \(name) (
                \(owner) NOT NULL,
                key TEXT NOT NULL,
                value TEXT NOT NULL,
                PRIMARY KEY (\(column), key))
            """
    }

    private static func paramTable(_ name: String, _ owner: String) -> String {
        let column = owner.split(separator: " ")[0]
        return """
            CREATE TABLE \(name) (
                \(owner) NOT NULL,
                key TEXT NOT NULL,
                kind TEXT NOT NULL,
                value TEXT NOT NULL,
                PRIMARY KEY (\(column), key))
            """
    }
}
