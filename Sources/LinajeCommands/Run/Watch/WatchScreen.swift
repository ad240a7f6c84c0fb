import LinajeDomain

/// What `linaje run watch` shows: lines that fit the terminal, from what is known alone.
struct WatchScreen {
    var state: WatchState
    var view: WatchView
    let style: TextStyle
    let now: Timestamp
    let instant: ContinuousClock.Instant

    /// Lines for a terminal of that size; none takes more columns than `width`, and there are not more
    /// than `height`.
    func lines(width: Int, height: Int) -> [String] {
        let head = header(width) + [""]
        let tail = footer(width)
        let log = logLines(
            width, most: height == .max ? 10 : max(0, min(8, (height - head.count) / 4)))
        let room = max(0, height == .max ? .max : height - head.count - log.count - tail.count)
        return (head + table(width, room: room) + log + tail).prefix(max(0, height)).map(\.self)
    }

    /// Rows of the table that such a terminal has room for.
    static func page(height: Int) -> Int { max(1, height - 8 - max(0, min(8, height / 4))) }

    // MARK: Header

    private func header(_ width: Int) -> [String] {
        guard let run = state.run else { return [cut("waiting for the daemon", width)] }
        let name = run.name.isEmpty ? "run" : printable(run.name)
        var title = "\(name)  \(run.id)"
        if !state.experiment.isEmpty { title += "  in \(printable(state.experiment))" }
        let end = run.endedAt ?? now
        let took = Duration.microseconds(max(0, end.microseconds &- run.startedAt.microseconds))
        var facts = [run.status.rawValue, Rendering.duration(took)]
        let owner = run.user.isEmpty ? run.principal : run.user
        if !owner.isEmpty { facts.append("by \(printable(owner))") }
        if let step = state.pace.step {
            let total = state.totalSteps.map { " of \(Rendering.grouped($0))" } ?? ""
            facts.append("step \(Rendering.grouped(step))\(total)")
        }
        if let pace = state.pace.stepsPerSecond {
            facts.append("\(TopScreen.rate(pace)) steps/s")
        }
        if let left = state.timeLeft { facts.append("\(Rendering.duration(left)) left") }
        let text = cut(facts.joined(separator: "  "), width)
        var lines = [style.bold(cut(title, width))]
        switch run.status {
        case .running, .finished: lines.append(style.good(text))
        case .failed, .killed, .stalled: lines.append(style.bad(text))
        case .scheduled: lines.append(text)
        }
        if !run.endedCause.isEmpty {
            lines.append(cut("cause: \(printable(run.endedCause))", width))
        }
        return lines
    }

    // MARK: Table

    private struct Columns {
        var name: Int
        var shape = 0
        var numbers = 1
        var rate = false
        var age = false

        static let number = 11

        /// What there is room for: first the last value, then the shape, bounds, rate and age.
        init(_ width: Int) {
            numbers = width < 24 ? 0 : width < 64 ? 1 : 3
            rate = width >= 80
            age = width >= 90
            let fixed = (numbers + (rate ? 1 : 0)) * Self.number + (age ? 7 : 0)
            name = max(1, min(40, (width - fixed) * 3 / 5))
            shape = max(0, width - fixed - name - 1)
            if width < 40 {
                name = max(1, width - fixed)
                shape = 0
            }
        }
    }

    private func table(_ width: Int, room: Int) -> [String] {
        let columns = Columns(width)
        let wanted = state.ordered.filter { self.view.shows($0.key.name) }
        var view = self.view
        let page = max(1, room == .max ? wanted.count : room - 2)
        view.bound(to: wanted.count, page: page)
        guard !wanted.isEmpty else {
            let text = state.series.isEmpty ? "no metrics yet" : "no metric has this in its name"
            return room > 0 ? [style.dim(cut(text, width))] : []
        }
        var lines = [style.bold(cut(titles(columns), width))]
        var wasSystem = false
        for (key, series) in wanted.dropFirst(view.offset) {
            if key.isSystem, !wasSystem { lines.append(style.dim(cut("system", width))) }
            wasSystem = key.isSystem
            guard lines.count < room else { break }
            lines.append(row(key, series, columns, width))
        }
        return Array(lines.prefix(room))
    }

    private func titles(_ columns: Columns) -> String {
        var text = TerminalWidth.fitted("METRIC", to: columns.name)
        if columns.shape > 0 { text += TerminalWidth.fitted("", to: columns.shape + 1) }
        for title in ["LAST", "MIN", "MAX"].prefix(columns.numbers) { text += number(title) }
        if columns.rate { text += number("POINTS/S") }
        return columns.age ? text + TerminalWidth.fitted("AGE", to: 7, right: true) : text
    }

    private func row(
        _ key: MetricSeries, _ series: SampledSeries, _ columns: Columns, _ width: Int
    ) -> String {
        var name = printable(key.name)
        if key.isSystem { name = "  " + name.dropFirst("system/".count) }
        var text = TerminalWidth.fitted(name, to: columns.name)
        if columns.shape > 0 {
            let shape = Sparkline.shape(series.shape, width: columns.shape)
            text += " " + style.good(TerminalWidth.fitted(shape, to: columns.shape))
        }
        let values = [series.last?.value, series.min, series.max]
        for value in values.prefix(columns.numbers) {
            text += number(value.map { Rendering.number($0) } ?? "")
        }
        if columns.rate { text += number(TopScreen.rate(series.rate(now: instant))) }
        guard columns.age else { return text }
        let age = series.last.map {
            Rendering.duration(.microseconds(max(0, now.microseconds &- $0.time)))
        }
        return text + TerminalWidth.fitted(age ?? "", to: 7, right: true)
    }

    private func number(_ text: String) -> String {
        " " + TerminalWidth.fitted(text, to: Columns.number - 1, right: true)
    }

    // MARK: Below

    private func logLines(_ width: Int, most: Int) -> [String] {
        let lines = state.log.suffix(most)
        guard !lines.isEmpty else { return [] }
        return [style.dim(cut("log", width))]
            + lines.map { line in
                let text = cut(printable(LastLines.visible(line.bytes[...])), width)
                return line.stream == .stderr ? style.bad(text) : text
            }
    }

    private func footer(_ width: Int) -> [String] {
        var lines: [String] = []
        if state.missed > 0 {
            lines.append(
                style.dim(
                    cut(
                        "\(Rendering.grouped(state.missed)) points came too fast to be shown", width
                    )))
        }
        if state.uncounted > 0 {
            lines.append(
                style.dim(cut("\(Rendering.grouped(state.uncounted)) more metrics", width)))
        }
        if let trouble = state.trouble { lines.append(style.bad(cut(printable(trouble), width))) }
        if let typed = view.typed {
            lines.append(cut("/\(printable(typed))", width))
        } else {
            let filter = view.filter.isEmpty ? "" : "  only \"\(printable(view.filter))\""
            lines.append(
                style.dim(cut("q quits  / filters  arrows and pages move\(filter)", width)))
        }
        return lines
    }

    private func cut(_ text: String, _ width: Int) -> String { TerminalWidth.cut(text, to: width) }
}

extension Sparkline {
    /// The values between their lowest and their highest, as many as there are columns; "×" stands for
    /// one that is no number or infinite. A line that is flat is in the middle.
    static func shape(_ values: [Double], width: Int) -> String {
        guard width > 0, !values.isEmpty else { return "" }
        let step = max(1, Double(values.count) / Double(width))
        let shown = (0..<min(width, values.count)).map { values[Int(Double($0) * step)] }
        let finite = shown.filter(\.isFinite)
        let (low, high) = (finite.min() ?? 0, finite.max() ?? 0)
        let bars = Array("▁▂▃▄▅▆▇█")
        return String(
            shown.map { value in
                guard value.isFinite else { return "×" }
                let range = high / 2 - low / 2
                guard range > 0 else { return bars[3] }
                let level = (value / 2 - low / 2) / range * Double(bars.count - 1)
                return bars[min(max(Int(level.rounded()), 0), bars.count - 1)]
            })
    }
}
