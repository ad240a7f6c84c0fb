import ArgumentParser
import Glibc
import LinajeClient
import LinajeDomain

/// `linaje top`
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watch the daemon live.",
        discussion: """
            Shows connections, points and calls a second, the ingest queue, how long commits took \
            in the last interval, memory, disk, artifacts, runs and plugins. q or Ctrl-C ends it. \
            When the daemon is restarted it says so and goes on.

            With --json, or when standard output is no terminal, it prints one JSON object a line.

            EXAMPLES
              linaje top
              linaje top --interval 5
              linaje top --once --json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: ArgumentHelp("Seconds between two readings.", valueName: "seconds"))
    var interval = 1.0
    @Flag(help: "Print the readings of one interval and end.")
    var once = false

    func validate() throws {
        guard interval >= 0.1, interval <= 3_600 else {
            throw ValidationError("interval \(interval) is out of bounds; use 0.1 to 3600 seconds")
        }
    }

    func run() async throws {
        // A daemon that is away is reported at once and asked again by the next interval.
        let client = try await LinajeClient.connect(
            to: options.socket,
            configuration: ClientConfiguration(
                agent: GlobalOptions.agent, deadline: .seconds(max(interval, 5)), attempts: 1,
                patience: .zero))
        let sampler = TopSampler(client: client, interval: .seconds(interval))
        let screen = options.json ? nil : TerminalScreen()
        if once {
            try await showOnce(sampler, isText: screen != nil, width: screen?.size.width ?? 80)
        } else if let screen {
            try await show(sampler, on: screen)
        } else {
            try await printLines(sampler)
        }
    }

    private func showOnce(_ sampler: TopSampler, isText: Bool, width: Int) async throws {
        let first = try await sampler.sample()
        try await Task.sleep(for: sampler.interval)
        var history = TopHistory()
        history.add(try await sampler.sample(), after: first)
        guard let reading = history.readings.last else { return }
        guard isText else {
            return Output.line(reading.json(timeUntilFull: nil).text)
        }
        let text = TopScreen(
            history: history, socket: sampler.client.daemon.socket, interval: sampler.interval)
        for line in text.lines(width: width, height: .max, options.style) { Output.line(line) }
    }

    private func printLines(_ sampler: TopSampler) async throws {
        var history = TopHistory()
        var last: TopSample?
        try await sampler.run { result in
            switch result {
            case .success(let sample):
                defer { last = sample }
                // The first has no rates yet.
                guard let last else { return }
                history.add(sample, after: last)
                guard let reading = history.readings.last else { return }
                Output.lineNow(reading.json(timeUntilFull: history.timeUntilFull).text)
            case .failure(let error):
                let reason = (error as? LinajeError)?.message ?? "\(error)"
                Output.lineNow(TopReading.unreachable(reason, at: SystemClock().now()).text)
            }
        }
    }

    private func show(_ sampler: TopSampler, on screen: TerminalScreen) async throws {
        let events = TerminalEvents<Result<TopSample, any Error>>()
        screen.enter()
        defer { screen.leave() }
        let end = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // Ends by being cancelled.
                try? await sampler.run { events.add(.news($0)) }
            }
            defer { group.cancelAll() }
            return await follow(events, sampler, on: screen)
        }
        if case .terminate = end { throw ExitCode(128 + SIGTERM) }
    }

    /// Draws until something ends it; returns that.
    private func follow(
        _ events: TerminalEvents<Result<TopSample, any Error>>, _ sampler: TopSampler,
        on screen: TerminalScreen
    ) async -> TerminalEvents<Result<TopSample, any Error>>.Event? {
        var view = TopScreen(
            history: TopHistory(), socket: sampler.client.daemon.socket,
            interval: sampler.interval)
        var last: TopSample?
        for await event in events.events {
            switch event {
            case .quit, .terminate: return event
            case .keys(let bytes):
                let ends = bytes.contains(UInt8(ascii: "q")) || bytes.contains(UInt8(ascii: "Q"))
                if ends { return .quit }
            case .resized: break
            case .suspend:
                screen.leave()
                // To this thread, which then does not come back before the shell says so.
                raise(SIGSTOP)
                screen.enter()
            case .news(.success(let sample)):
                view.history.add(sample, after: last)
                view.trouble = nil
                last = sample
            case .news(.failure(let error)):
                view.trouble = (error as? LinajeError)?.message ?? "\(error)"
            }
            let size = screen.size
            screen.draw(view.lines(width: size.width, height: size.height, options.style))
        }
        return nil
    }
}
