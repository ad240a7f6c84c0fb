/// The walks. They are the time of scoring: no branch depends on a value, eight rows go down at
/// once, and the pointers are unchecked, because `TreeEnsembleBuilder` has checked every index.
extension TreeEnsemble {
    /// The arrays of an ensemble as pointers.
    struct Views {
        var splits: UnsafePointer<Split>
        var splitMissing: UnsafePointer<UInt8>
        var links: UnsafePointer<Link>
        var linkMissing: UnsafePointer<UInt8>
        var linkValues: UnsafePointer<UInt32>
        var mixed: UnsafePointer<MixedNode>
        var words: UnsafePointer<UInt32>
        var values: UnsafePointer<Scalar>
    }

    /// Calls `body` with the arrays; not at all when one has no memory, which no array of the
    /// builder is.
    @inline(__always)
    func withViews(_ body: (Views) -> Void) {
        splits.withUnsafeBufferPointer { splits in
            splitMissing.withUnsafeBufferPointer { splitMissing in
                links.withUnsafeBufferPointer { links in
                    linkMissing.withUnsafeBufferPointer { linkMissing in
                        linkValues.withUnsafeBufferPointer { linkValues in
                            mixed.withUnsafeBufferPointer { mixed in
                                words.withUnsafeBufferPointer { words in
                                    values.withUnsafeBufferPointer { values in
                                        guard let splits = splits.baseAddress,
                                            let splitMissing = splitMissing.baseAddress,
                                            let links = links.baseAddress,
                                            let linkMissing = linkMissing.baseAddress,
                                            let linkValues = linkValues.baseAddress,
                                            let mixed = mixed.baseAddress,
                                            let words = words.baseAddress,
                                            let values = values.baseAddress
                                        else { return }
                                        body(
                                            Views(
                                                splits: splits, splitMissing: splitMissing,
                                                links: links, linkMissing: linkMissing,
                                                linkValues: linkValues, mixed: mixed,
                                                words: words, values: values))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Finds where the values of the first `count` rows of a block are.
    @inline(__always)
    func walk(
        _ tree: Tree, _ block: UnsafePointer<Scalar>, count: Int, hasMissing: Bool,
        _ views: Views, _ found: UnsafeMutablePointer<UInt32>
    ) {
        switch tree.shape {
        case .complete(let depth):
            let step = tree.target == nil ? outputs : 1
            let nodes = views.splits + tree.first
            let missing = views.splitMissing + tree.first
            // The first leaf stands where the nodes end.
            let offset = tree.firstValue - ((1 << depth) - 1) * step
            var row = 0
            while row < count {
                let values = block + row
                if hasMissing {
                    descendMissing(nodes, missing, values, depth, step, offset, found + row)
                } else {
                    descend(nodes, values, depth, step, offset, found + row)
                }
                row &+= Self.lanes
            }
        case .linked:
            var row = 0
            while row < count {
                follow(tree.first, block + row, hasMissing: hasMissing, views, found + row)
                row &+= Self.lanes
            }
        case .mixed:
            for row in 0..<count {
                found[row] = mixedWalk(tree.first, block + row, views)
            }
        }
    }

    @inline(__always)
    private func step(
        _ node: inout Int, _ nodes: UnsafePointer<Split>, _ values: UnsafePointer<Scalar>
    ) {
        let split = nodes + node
        let isRight = values[Int(split.pointee.place)] >= split.pointee.threshold
        node = (node &<< 1) &+ (isRight ? 2 : 1)
    }

    @inline(__always)
    private func descend(
        _ nodes: UnsafePointer<Split>, _ values: UnsafePointer<Scalar>, _ depth: Int,
        _ width: Int, _ offset: Int, _ found: UnsafeMutablePointer<UInt32>
    ) {
        var (a, b, c, d, e, f, g, h) = (0, 0, 0, 0, 0, 0, 0, 0)
        for _ in 0..<depth {
            step(&a, nodes, values)
            step(&b, nodes, values + 1)
            step(&c, nodes, values + 2)
            step(&d, nodes, values + 3)
            step(&e, nodes, values + 4)
            step(&f, nodes, values + 5)
            step(&g, nodes, values + 6)
            step(&h, nodes, values + 7)
        }
        found[0] = UInt32(truncatingIfNeeded: a &* width &+ offset)
        found[1] = UInt32(truncatingIfNeeded: b &* width &+ offset)
        found[2] = UInt32(truncatingIfNeeded: c &* width &+ offset)
        found[3] = UInt32(truncatingIfNeeded: d &* width &+ offset)
        found[4] = UInt32(truncatingIfNeeded: e &* width &+ offset)
        found[5] = UInt32(truncatingIfNeeded: f &* width &+ offset)
        found[6] = UInt32(truncatingIfNeeded: g &* width &+ offset)
        found[7] = UInt32(truncatingIfNeeded: h &* width &+ offset)
    }

    @inline(__always)
    private func stepMissing(
        _ node: inout Int, _ nodes: UnsafePointer<Split>, _ missing: UnsafePointer<UInt8>,
        _ values: UnsafePointer<Scalar>
    ) {
        let value = values[Int(nodes[node].place)]
        let isRight = value >= nodes[node].threshold ? 1 : 0
        let isMissing = value != value ? Int(missing[node]) : 0
        node = (node &<< 1) &+ 1 &+ (isRight | isMissing)
    }

    @inline(__always)
    private func descendMissing(
        _ nodes: UnsafePointer<Split>, _ missing: UnsafePointer<UInt8>,
        _ values: UnsafePointer<Scalar>, _ depth: Int, _ width: Int, _ offset: Int,
        _ found: UnsafeMutablePointer<UInt32>
    ) {
        var row = 0
        while row < Self.lanes {
            var (a, b, c, d) = (0, 0, 0, 0)
            let values = values + row
            for _ in 0..<depth {
                stepMissing(&a, nodes, missing, values)
                stepMissing(&b, nodes, missing, values + 1)
                stepMissing(&c, nodes, missing, values + 2)
                stepMissing(&d, nodes, missing, values + 3)
            }
            found[row] = UInt32(truncatingIfNeeded: a &* width &+ offset)
            found[row + 1] = UInt32(truncatingIfNeeded: b &* width &+ offset)
            found[row + 2] = UInt32(truncatingIfNeeded: c &* width &+ offset)
            found[row + 3] = UInt32(truncatingIfNeeded: d &* width &+ offset)
            row &+= 4
        }
    }

    @inline(__always)
    private func stepLinked(
        _ node: Int, _ links: UnsafePointer<Link>, _ values: UnsafePointer<Scalar>
    ) -> Int {
        let link = links + node
        let isRight = values[Int(link.pointee.place)] >= link.pointee.threshold
        return Int(link.pointee.left) &+ (isRight ? 1 : 0)
    }

    @inline(__always)
    private func stepLinkedMissing(
        _ node: Int, _ links: UnsafePointer<Link>, _ missing: UnsafePointer<UInt8>,
        _ values: UnsafePointer<Scalar>
    ) -> Int {
        let value = values[Int(links[node].place)]
        let isRight = value >= links[node].threshold ? 1 : 0
        let isMissing = value != value ? Int(missing[node]) : 0
        return Int(links[node].left) &+ (isRight | isMissing)
    }

    /// Eight rows through a tree of any form, four at a time, until all of them are at their leaf,
    /// which is its own next node. Children stand after their parents, so that this ends.
    @inline(__always)
    private func follow(
        _ first: Int, _ values: UnsafePointer<Scalar>, hasMissing: Bool, _ views: Views,
        _ found: UnsafeMutablePointer<UInt32>
    ) {
        let (links, missing) = (views.links, views.linkMissing)
        var row = 0
        while row < Self.lanes {
            var (a, b, c, d) = (first, first, first, first)
            let values = values + row
            var moved = 1
            while moved != 0 {
                let (w, x, y, z): (Int, Int, Int, Int)
                if hasMissing {
                    w = stepLinkedMissing(a, links, missing, values)
                    x = stepLinkedMissing(b, links, missing, values + 1)
                    y = stepLinkedMissing(c, links, missing, values + 2)
                    z = stepLinkedMissing(d, links, missing, values + 3)
                } else {
                    w = stepLinked(a, links, values)
                    x = stepLinked(b, links, values + 1)
                    y = stepLinked(c, links, values + 2)
                    z = stepLinked(d, links, values + 3)
                }
                moved = (a ^ w) | (b ^ x) | (c ^ y) | (d ^ z)
                (a, b, c, d) = (w, x, y, z)
            }
            found[row] = views.linkValues[a]
            found[row + 1] = views.linkValues[b]
            found[row + 2] = views.linkValues[c]
            found[row + 3] = views.linkValues[d]
            row &+= 4
        }
    }

    /// One row through a tree with other tests than thresholds.
    @inline(__always)
    private func mixedWalk(
        _ first: Int, _ values: UnsafePointer<Scalar>, _ views: Views
    ) -> UInt32 {
        var node = views.mixed + first
        while node.pointee.test != .leaf {
            let value = values[Int(node.pointee.place)]
            let isRight: Bool
            if value != value {
                isRight = node.pointee.missingRight
            } else {
                switch node.pointee.test {
                case .leaf, .threshold: isRight = value >= node.pointee.threshold
                case .thresholdOrZero:
                    isRight =
                        value == 0 ? node.pointee.missingRight : value >= node.pointee.threshold
                case .categories:
                    isRight = contains(value, node, views) == node.pointee.memberRight
                }
            }
            node = views.mixed + (Int(node.pointee.left) &+ (isRight ? 1 : 0))
        }
        return node.pointee.value
    }

    @inline(__always)
    private func contains(
        _ value: Scalar, _ node: UnsafePointer<MixedNode>, _ views: Views
    ) -> Bool {
        // Far below the numbers that an Int does not hold.
        guard value > -1, value < 2_147_483_648, value >= 0 || node.pointee.cutsNegatives else {
            return false
        }
        let category = Int(value)
        guard category >> 5 < Int(node.pointee.words) else { return false }
        let word = views.words[Int(node.pointee.firstWord) &+ category >> 5]
        return word >> UInt32(category & 31) & 1 == 1
    }
}
