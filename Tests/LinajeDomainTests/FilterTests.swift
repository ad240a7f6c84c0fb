import LinajeDomain
import Testing

@Suite("Filter")
struct FilterTests {
    /// What is written, and what is understood.
    static let runs: [(String, String)] = [
        ("", ""),
        ("   ", ""),
        ("metrics.loss < 0.1", "metrics.`loss` < 0.1"),
        ("metrics.loss<=1e-3", "metrics.`loss` <= 0.001"),
        ("metric.loss > -2", "metrics.`loss` > -2.0"),
        ("metrics.loss >= +.5", "metrics.`loss` >= 0.5"),
        ("metrics.loss = 3", "metrics.`loss` = 3.0"),
        ("metrics.loss == 3.", "metrics.`loss` = 3.0"),
        ("metrics.loss != 12345678901234567890", "metrics.`loss` != 1.2345678901234567e+19"),
        ("metrics.loss <> 3", "metrics.`loss` != 3.0"),
        ("metrics.loss = NaN", "metrics.`loss` = nan"),
        ("metrics.loss < Infinity", "metrics.`loss` < inf"),
        ("metrics.loss > -inf", "metrics.`loss` > -inf"),
        ("metrics.loss IN (1, 2.5, nan)", "metrics.`loss` IN (1.0, 2.5, nan)"),
        ("metrics.loss NOT IN (1)", "metrics.`loss` NOT IN (1.0)"),
        ("metrics.loss IS NULL", "metrics.`loss` IS NULL"),
        ("metrics.loss is not null", "metrics.`loss` IS NOT NULL"),
        ("metrics.`val loss` < 1", "metrics.`val loss` < 1.0"),
        ("metrics.\"val loss\" < 1", "metrics.`val loss` < 1.0"),
        ("metrics.`a``b` < 1", "metrics.`a``b` < 1.0"),
        ("metrics.val/loss < 1", "metrics.`val/loss` < 1.0"),
        ("metrics.val.loss-ema@10 < 1", "metrics.`val.loss-ema@10` < 1.0"),
        ("metrics.pérdida < 1", "metrics.`pérdida` < 1.0"),
        ("metrics.1m>1", "metrics.`1m` > 1.0"),
        ("Metrics.Loss < 1", "metrics.`Loss` < 1.0"),
        ("params.lr = '0.1'", "params.`lr` = '0.1'"),
        ("params.lr = \"0.1\"", "params.`lr` = '0.1'"),
        ("param.lr != '0.1'", "params.`lr` != '0.1'"),
        ("parameter.lr < 'm'", "params.`lr` < 'm'"),
        ("parameters.lr <= 'm'", "params.`lr` <= 'm'"),
        ("params.lr > 'm'", "params.`lr` > 'm'"),
        ("params.lr >= 'm'", "params.`lr` >= 'm'"),
        ("params.lr <> 'm'", "params.`lr` != 'm'"),
        ("params.lr < 0.1", "params.`lr` < 0.1"),
        ("params.lr IN (0.1, '0.1')", "params.`lr` IN (0.1, '0.1')"),
        ("params.lr LIKE '0.%'", "params.`lr` LIKE '0.%'"),
        ("params.lr ILIKE 'A_'", "params.`lr` ILIKE 'A_'"),
        ("params.lr NOT LIKE '0.%'", "params.`lr` NOT LIKE '0.%'"),
        ("params.lr IN ('0.1','0.01')", "params.`lr` IN ('0.1', '0.01')"),
        ("params.lr IN ('0.1',)", "params.`lr` IN ('0.1')"),
        ("params.lr NOT IN ('a')", "params.`lr` NOT IN ('a')"),
        ("params.lr IS NULL", "params.`lr` IS NULL"),
        ("params.lr IS NOT NULL", "params.`lr` IS NOT NULL"),
        ("params.x = 'it''s'", "params.`x` = 'it''s'"),
        ("params.x = 'it\\'s'", "params.`x` = 'it''s'"),
        ("params.x = \"say \"\"hi\"\"\"", "params.`x` = 'say \"hi\"'"),
        ("params.x = 'C:\\dir\\\\'", "params.`x` = 'C:\\\\dir\\\\'"),
        ("params.x = ''", "params.`x` = ''"),
        ("tags.team = 'vision'", "tags.`team` = 'vision'"),
        ("tag.team != 'vision'", "tags.`team` != 'vision'"),
        ("tags.team < 'v'", "tags.`team` < 'v'"),
        ("tags.team >= 'v'", "tags.`team` >= 'v'"),
        ("tags.team LIKE 'vis%'", "tags.`team` LIKE 'vis%'"),
        ("tags.team ilike 'VIS%'", "tags.`team` ILIKE 'VIS%'"),
        ("tags.team NOT ILIKE 'VIS%'", "tags.`team` NOT ILIKE 'VIS%'"),
        ("tags.team IN ('a', \"b\")", "tags.`team` IN ('a', 'b')"),
        ("tags.mlflow.user IS NULL", "tags.`mlflow.user` IS NULL"),
        ("tags.`mlflow.source.name` = 'x'", "tags.`mlflow.source.name` = 'x'"),
        ("attributes.status = 'FAILED'", "attributes.status = 'FAILED'"),
        ("attribute.status != 'FAILED'", "attributes.status != 'FAILED'"),
        ("attr.status IN ('FAILED', 'KILLED')", "attributes.status IN ('FAILED', 'KILLED')"),
        ("run.status LIKE 'F%'", "attributes.status LIKE 'F%'"),
        ("status = 'FAILED'", "attributes.status = 'FAILED'"),
        ("run_id = 'ab'", "attributes.run_id = 'ab'"),
        ("run_id IN ('ab', 'cd')", "attributes.run_id IN ('ab', 'cd')"),
        ("attributes.run_id NOT IN ('ab')", "attributes.run_id NOT IN ('ab')"),
        ("run_id LIKE '0f%'", "attributes.run_id LIKE '0f%'"),
        ("run_name = 'x'", "attributes.name = 'x'"),
        ("`Run name` = 'x'", "attributes.name = 'x'"),
        ("attributes.\"Run name\" ILIKE '%X%'", "attributes.name ILIKE '%X%'"),
        ("user_id = 'ada'", "attributes.user_id = 'ada'"),
        ("artifact_uri LIKE 'runs:%'", "attributes.artifact_uri LIKE 'runs:%'"),
        ("start_time > 1700000000000", "attributes.start_time > 1700000000000"),
        ("Created >= 1", "attributes.start_time >= 1"),
        ("created <= -1", "attributes.start_time <= -1"),
        ("end_time IS NULL", "attributes.end_time IS NULL"),
        (
            "attributes.start_time > '2026-01-01'",
            "attributes.start_time > '2026-01-01T00:00:00.000000Z'"
        ),
        (
            "start_time != '2026-01-01 12:30:05.25+02:00'",
            "attributes.start_time != '2026-01-01T10:30:05.250000Z'"
        ),
        ("experiment_id = 3", "attributes.experiment_id = 3"),
        ("experiment_id IN ('3', 4)", "attributes.experiment_id IN (3, 4)"),
        ("experiment_id LIKE '1%'", "attributes.experiment_id LIKE '1%'"),
        ("dataset.name = 'd'", "datasets.name = 'd'"),
        ("datasets.digest LIKE 'ab%'", "datasets.digest LIKE 'ab%'"),
        ("datasets.context NOT IN ('train')", "datasets.context NOT IN ('train')"),
        ("datasets.name IS NULL", "datasets.name IS NULL"),
        ("NOT status = 'FAILED'", "NOT attributes.status = 'FAILED'"),
        ("NOT(status='FAILED')", "NOT attributes.status = 'FAILED'"),
        ("NOT NOT status = 'A'", "NOT NOT attributes.status = 'A'"),
        (
            "status='A' AND status='B' and status='C'",
            "attributes.status = 'A' AND attributes.status = 'B' AND attributes.status = 'C'"
        ),
        (
            "status='A' OR status='B' AND status='C'",
            "attributes.status = 'A' OR (attributes.status = 'B' AND attributes.status = 'C')"
        ),
        (
            "(status='A' OR status='B') AND status='C'",
            "(attributes.status = 'A' OR attributes.status = 'B') AND attributes.status = 'C'"
        ),
        (
            "NOT status='A' AND status='B'",
            "NOT attributes.status = 'A' AND attributes.status = 'B'"
        ),
        (
            "NOT (status='A' AND status='B')",
            "NOT (attributes.status = 'A' AND attributes.status = 'B')"
        ),
        ("status = 'A' AND", "attributes.status = 'A'"),
        ("((status = 'A'))", "attributes.status = 'A'"),
        ("status\t=\n'A'", "attributes.status = 'A'"),
        (
            "metrics.loss < 0.1 AND (params.lr IN ('0.1','0.01') OR tags.team LIKE 'vis%') "
                + "AND NOT attributes.status = 'FAILED' AND attributes.start_time > '2026-01-01'",
            "metrics.`loss` < 0.1 AND (params.`lr` IN ('0.1', '0.01') OR tags.`team` LIKE 'vis%') "
                + "AND NOT attributes.status = 'FAILED' "
                + "AND attributes.start_time > '2026-01-01T00:00:00.000000Z'"
        ),
    ]

    @Test("a filter on runs is understood", arguments: runs)
    func understood(_ text: String, _ meaning: String) throws {
        let filter = try Filter.parse(text, for: .runs)
        #expect(filter.description == meaning)
        #expect(try Filter.parse(filter.description, for: .runs).description == meaning)
    }

    static let others: [(SearchSchema, String, String)] = [
        (.experiments, "name = 'x'", "attributes.name = 'x'"),
        (.experiments, "experiment_id IN ('1')", "attributes.experiment_id IN (1)"),
        (.experiments, "creation_time > 5", "attributes.creation_time > 5"),
        (.experiments, "attribute.last_update_time < 5", "attributes.last_update_time < 5"),
        (.experiments, "tags.team IS NOT NULL", "tags.`team` IS NOT NULL"),
        (.registeredModels, "name ILIKE '%fraud%'", "attributes.name ILIKE '%fraud%'"),
        (.registeredModels, "timestamp > 1", "attributes.last_update_time > 1"),
        (
            .registeredModels, "tags.`mlflow.prompt.is_prompt` != 'true'",
            "tags.`mlflow.prompt.is_prompt` != 'true'"
        ),
        (.modelVersions, "name IN ('a')", "attributes.name IN ('a')"),
        (.modelVersions, "version_number >= 3", "attributes.version_number >= 3"),
        (.modelVersions, "version = 3.5", "attributes.version_number = 3.5"),
        (.modelVersions, "source_path LIKE 's3:%'", "attributes.source LIKE 's3:%'"),
        (.modelVersions, "run_id = 'ab'", "attributes.run_id = 'ab'"),
        (.modelVersions, "stage = 'Production'", "attributes.stage = 'Production'"),
        (.modelVersions, "user_id = 'uid:0'", "attributes.principal = 'uid:0'"),
        (.loggedModels, "model_type = 'Agent'", "attributes.model_type = 'Agent'"),
        (.loggedModels, "source_run_id IS NULL", "attributes.run_id IS NULL"),
        (.loggedModels, "params.depth > 3", "params.`depth` > 3.0"),
        (.datasets, "dataset.name = 'd'", "attributes.name = 'd'"),
        (.datasets, "size > 100", "attributes.size > 100"),
        (.datasets, "tags.split = 'train'", "tags.`split` = 'train'"),
    ]

    @Test("a filter on other objects is understood", arguments: others)
    func understoodElsewhere(_ schema: SearchSchema, _ text: String, _ meaning: String) throws {
        let filter = try Filter.parse(text, for: schema)
        #expect(filter.description == meaning)
        #expect(try Filter.parse(filter.description, for: schema) == filter)
    }

    @Test("a sort key is understood")
    func sortKeys() throws {
        let keys = try SortKey.parse(
            ["metrics.`val loss` DESC", "params.lr", "start_time asc", "`Run name` desc"],
            for: .runs)
        #expect(
            keys.map(\.description) == [
                "metrics.`val loss` DESC", "params.`lr` ASC", "attributes.start_time ASC",
                "attributes.name DESC",
            ])
    }
}
