import LinajeTelemetry
import Metrics
import Testing

@Suite("Telemetry registry")
struct TelemetryRegistryTests {
    private func registry(_ families: MetricFamily...) -> TelemetryRegistry {
        TelemetryRegistry(families: families)
    }

    @Test("a described counter is exported with its help, even before it has counted")
    func counter() {
        let registry = registry(MetricFamily("linaje_x_total", .counter, "Things \\ that\nhappen."))
        let counter = Counter(label: "linaje_x_total", factory: registry)
        #expect(
            registry.text() == """
                # HELP linaje_x_total Things \\\\ that\\nhappen.
                # TYPE linaje_x_total counter
                linaje_x_total 0

                """)
        counter.increment(by: 41)
        counter.increment()
        counter.increment(by: -5)
        counter.reset()
        #expect(registry.text().hasSuffix("\nlinaje_x_total 42\n"))
        #expect(registry.total("linaje_x_total") == 42)
        #expect(registry.total("linaje_y_total") == 0)
    }

    @Test("series are ordered by their labels, which are escaped and unique")
    func labels() {
        let registry = registry(MetricFamily("a_total", .counter, ""))
        for (name, value) in [("m", "z"), ("m", "a\"\\\n"), ("b", "1"), ("m", "z")] {
            Counter(label: "a_total", dimensions: [(name, value)], factory: registry).increment()
        }
        Counter(label: "a_total", dimensions: [("m", "z"), ("b", "2")], factory: registry)
            .increment(by: 7)
        Counter(label: "a_total", dimensions: [("b", "2"), ("m", "z")], factory: registry)
            .increment(by: 1)
        #expect(
            registry.text() == """
                # TYPE a_total counter
                a_total{b="1"} 1
                a_total{b="2",m="z"} 8
                a_total{m="a\\"\\\\\\n"} 1
                a_total{m="z"} 2

                """)
        #expect(registry.total("a_total") { $0.contains(MetricLabel("m", "z")) } == 10)
    }

    @Test("names are made legal, and say their unit where nobody described them")
    func names() {
        let registry = registry()
        Counter(
            label: "grpc.calls", dimensions: [("9 lives", "x"), ("le", "y")], factory: registry
        ).increment()
        Timer(label: "9-wait", factory: registry).recordSeconds(1)
        Meter(label: "", factory: registry).set(1)
        let lines = registry.text().split(separator: "\n")
        #expect(lines.contains("grpc_calls_total{_9_lives=\"x\",le_=\"y\"} 1"))
        #expect(lines.contains("_9_wait_seconds_count 1"))
        #expect(lines.contains("_ 1"))
    }

    @Test(
        "numbers are written as the format wants them",
        arguments: [
            (0.0, "0"), (-1.5, "-1.5"), (1e300, "1e+300"), (.nan, "NaN"), (.infinity, "+Inf"),
            (-.infinity, "-Inf"), (9_007_199_254_740_992, "9007199254740992"),
        ] as [(Double, String)])
    func numbers(value: Double, text: String) {
        let registry = registry(MetricFamily("g", .gauge, ""))
        Meter(label: "g", factory: registry).set(value)
        #expect(registry.text() == "# TYPE g gauge\ng \(text)\n")
        #expect(registry.text([MetricSample("g", 1)]) == "# TYPE g gauge\ng \(text)\n")
    }

    @Test("a gauge goes up and down, also by a recorder that does not aggregate")
    func gauge() {
        let registry = registry()
        let meter = Meter(label: "g", factory: registry)
        meter.increment(by: 2.5)
        meter.decrement()
        #expect(registry.text().hasSuffix("\ng 1.5\n"))
        Gauge(label: "g", factory: registry).record(7)
        #expect(registry.text().hasSuffix("\ng 7\n"))
    }

    @Test("values that are looked up are exported beside those that are counted")
    func samples() {
        let registry = registry(
            MetricFamily("b_bytes", .gauge, ""), MetricFamily("d_total", .counter, ""))
        let samples = [
            MetricSample("d_total", 3), MetricSample("b_bytes", 2, [MetricLabel("z", "1")]),
            MetricSample("b_bytes", 1, [MetricLabel("a", "1")]),
            MetricSample("b_bytes", 9, [MetricLabel("a", "1")]), MetricSample("c", 4),
        ]
        #expect(
            registry.text(samples) == """
                # TYPE b_bytes gauge
                b_bytes{a="1"} 1
                b_bytes{z="1"} 2
                # TYPE c gauge
                c 4
                # TYPE d_total counter
                d_total 3

                """)
    }

    @Test("a sparse family shows no series of which nothing has happened")
    func sparse() {
        let registry = registry(
            MetricFamily("s_total", .counter, "", isSparse: true),
            MetricFamily("t_seconds", .histogram(.seconds), "", isSparse: true))
        let counter = Counter(label: "s_total", dimensions: [("a", "1")], factory: registry)
        Counter(label: "s_total", dimensions: [("a", "2")], factory: registry).increment()
        let timer = Timer(label: "t_seconds", factory: registry)
        let empty = """
            # TYPE s_total counter
            s_total{a="2"} 1
            # TYPE t_seconds histogram

            """
        #expect(registry.text() == empty)
        counter.increment()
        timer.recordNanoseconds(1)
        #expect(registry.text().contains("s_total{a=\"1\"} 1\n"))
        #expect(registry.text().contains("t_seconds_count 1\n"))
    }

    @Test("the same name as another kind is given away and exported nowhere")
    func conflict() {
        let registry = registry(MetricFamily("a_total", .counter, ""))
        let timer = Meter(label: "a_total", factory: registry)
        timer.set(5)
        Counter(label: "a_total", factory: registry).increment()
        #expect(registry.text() == "# TYPE a_total counter\na_total 1\n")
    }

    @Test("a family that gets too many series counts the rest as one")
    func bounded() {
        let registry = registry(MetricFamily("a_total", .counter, ""))
        for number in 0..<2_000 {
            Counter(label: "a_total", dimensions: [("n", "\(number)")], factory: registry)
                .increment()
        }
        #expect(registry.text().contains("a_total{n=\"other\"} 976\n"))
        #expect(registry.total("a_total") == 2_000)
    }

    @Test("everything that was counted at the same time is there at the end")
    func concurrent() async {
        let registry = registry(
            MetricFamily("a_total", .counter, ""),
            MetricFamily("b_seconds", .histogram(.seconds), ""))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let counter = Counter(label: "a_total", factory: registry)
                    let timer = Timer(label: "b_seconds", factory: registry)
                    let meter = Meter(label: "g", factory: registry)
                    for _ in 0..<2_000 {
                        counter.increment(by: 2)
                        timer.recordMilliseconds(1)
                        meter.increment()
                    }
                }
            }
        }
        #expect(registry.total("a_total") == 32_000)
        let histogram = registry.histogram("b_seconds")
        #expect(histogram?.count == 16_000 && histogram?.sum == 16_000_000_000)
        #expect(registry.text().contains("\ng 16000\n"))
    }

    @Test("every metric of the daemon has a help, a unit in its name and a name of its own")
    func families() {
        let names = MetricFamily.all.map(\.name)
        #expect(Set(names).count == names.count)
        for family in MetricFamily.all {
            #expect(family.help.hasSuffix("."), "\(family.name)")
            #expect(family.name.hasPrefix("linaje_") || family.name.hasPrefix("process_"))
            #expect((family.kind == .counter) == family.name.hasSuffix("_total"), "\(family.name)")
        }
    }
}
