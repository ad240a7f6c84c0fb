import ArgumentParser
import Glibc
import LinajeClient
import LinajeDomain

/// `linaje run watch`
struct RunWatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Watch a run live.",
        discussion: """
            Shows how far the run is, its metrics with their shape, last value, bounds, rate and age, \
            those of the machine ("system/") below the others, and the last lines of its log, until it \
            ends; then the last picture stays. Steps that are left are known when a param is named \
            total_steps, max_steps, num_train_steps or alike. When the daemon is restarted it goes on.

            Keys: q ends, arrows and pages move, / filters by name, Esc shows all again.

            With --json, or when standard output is no terminal, it prints one line for each change.

            EXAMPLES
              linaje run watch RUN
              linaje run watch --latest
              linaje run watch RUN --once
              linaje run watch RUN --json
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The run's id.")
    var run: String?
    @Flag(help: "Watch the run that was started last.")
    var latest = false
    @Flag(help: "Show one picture and end.")
    var once = false

    func validate() throws {
        guard (run != nil) != latest else {
            throw ValidationError("Give a run's id, or --latest.")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        let id = try await runID(client)
        // Asked once, so that a run that is not there is an error and no empty picture.
        let isOver = try await client.run(id).status.isTerminal
        let screen = options.json ? nil : TerminalScreen()
        if once || isOver && screen != nil {
            try await showOnce(id, client, width: screen?.size.width ?? 80)
        } else if let screen {
            try await show(id, client, on: screen)
        } else {
            let printer = WatchPrinter(isJSON: options.json)
            try await WatchFeed(client: client, run: id) { printer.show($0) }.follow()
        }
    }

    private func runID(_ client: LinajeClient) async throws -> RunID {
        if let run { return try await Arguments.run(run, client) }
        guard let found = try await client.runs(page: Page(limit: 1)).elements.first else {
            throw LinajeError(
                .notFound, "there is no run yet; start one by linaje run -- COMMAND")
        }
        return found.id
    }

    private func showOnce(_ id: RunID, _ client: LinajeClient, width: Int) async throws {
        let board = WatchBoard()
        try await WatchFeed(client: client, run: id) { board.apply($0) }.once()
        if options.json { return Output.line(board.state.json(now: .now).text) }
        show(board.state, width: width)
    }

    /// The whole picture on the usual screen.
    private func show(_ state: WatchState, width: Int) {
        let lines = picture(state, WatchView()).lines(width: width, height: .max)
        // The keys do nothing any more.
        for line in lines.dropLast() { Output.line(line) }
    }

    private func picture(_ state: WatchState, _ view: WatchView) -> WatchScreen {
        WatchScreen(
            state: state, view: view, style: options.style, now: SystemClock().now(),
            instant: .now)
    }

    // MARK: Live

    /// What the screen waits for besides keys.
    private enum Tick: Sendable {
        case changed
        case over((any Error)?)
    }

    private func show(_ id: RunID, _ client: LinajeClient, on screen: TerminalScreen) async throws {
        let board = WatchBoard()
        let events = TerminalEvents<Tick>()
        screen.enter()
        let end = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await WatchFeed(client: client, run: id) { board.apply($0) }.follow()
                    events.add(.news(.over(nil)))
                } catch {
                    events.add(.news(.over(error)))
                }
            }
            group.addTask { await tick(board, events) }
            defer { group.cancelAll() }
            return await draw(board, events, on: screen)
        }
        screen.leave()
        switch end {
        case .terminate: throw ExitCode(128 + SIGTERM)
        case .news(.over(let error?)): throw error
        case .news: show(board.state, width: screen.size.width)
        default: break
        }
    }

    /// Ten pictures a second at most, and one a second for what grows older.
    private func tick(_ board: WatchBoard, _ events: TerminalEvents<Tick>) async {
        var quiet = 0
        while (try? await Task.sleep(for: .milliseconds(100))) != nil {
            quiet += 1
            guard board.takeChange() || quiet >= 10 else { continue }
            quiet = 0
            events.add(.news(.changed))
        }
    }

    /// Draws until something ends it; returns that.
    private func draw(
        _ board: WatchBoard, _ events: TerminalEvents<Tick>, on screen: TerminalScreen
    ) async -> TerminalEvents<Tick>.Event? {
        var view = WatchView()
        for await event in events.events {
            let size = screen.size
            let page = WatchScreen.page(height: size.height)
            switch event {
            case .quit, .terminate, .news(.over): return event
            case .keys(let bytes):
                if case .quit = view.press(bytes, page: page) { return .quit }
            case .suspend:
                screen.leave()
                // To this thread, which then does not come back before the shell says so.
                raise(SIGSTOP)
                screen.enter()
            case .resized, .news(.changed): break
            }
            let state = board.state
            let shown = state.series.keys.count { view.shows($0.name) }
            view.bound(to: shown, page: page)
            screen.draw(picture(state, view).lines(width: size.width, height: size.height))
        }
        return nil
    }
}
