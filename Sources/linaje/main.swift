import LinajeCommands

await LinajeProgram.main()
