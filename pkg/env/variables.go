package env

// Environment variables. The recipe runner sets those of a run for the kernel, and the cells inherit them; in interactive use they are unset.
const (
	Backend   = "ATTUNE_BACKEND"    // name of the backend: "go" (also when unset), "xla:cuda", "xla:cpu"
	RunDir    = "ATTUNE_RUN_DIR"    // absolute path of the run's directory
	RunID     = "ATTUNE_RUN_ID"     // names one execution of a recipe: the state in a run's directory belongs to it
	CallerDir = "ATTUNE_CALLER_DIR" // where the user runs the command; relative paths in parameters start there
	Recipe    = "ATTUNE_RECIPE"     // the recipe's name
	Params    = "ATTUNE_PARAMETERS" // the values of its parameters, a JSON object
	KernelID  = "ATTUNE_KERNEL_ID"  // names the kernel that a process descends from: by it the runner finds what cells left running
	Store     = "ATTUNE_STORE"      // folder of the store of results; unset: <root>/runs/store
	Worker    = "ATTUNE_WORKER"     // "once": a worker answers one request and ends
	Command   = "ATTUNE_COMMAND"    // how the user calls the command, for what it suggests; unset: go run ./recipes
	DryRun    = "ATTUNE_DRY_RUN"    // "1": cells ask what would be computed, and nothing is
	Plan      = "ATTUNE_PLAN"       // a file: requests to the worker are written there instead of being answered
	Known     = "ATTUNE_KNOWN"      // set: scores, surveys and effects come from the store, and one that is not there is an error
	Owner     = "ATTUNE_OWNER"      // PID/STARTED of the process that runs the parts of a submission on this machine: they end with it
	Devices   = "ATTUNE_DEVICES"    // what scores, surveys and effects in the store were computed on, separated by "; ": notes name them where they are several

	GoMLXBackend = "GOMLX_BACKEND" // GoMLX's own name of a backend, read where ATTUNE_BACKEND is unset
	XLAFlags     = "XLA_FLAGS"     // read by XLA once, when its plugin is loaded
	GonbDir      = "GONB_DIR"      // set by GoNB: the notebook's folder
	GonbTmpDir   = "GONB_TMP_DIR"  // set by GoNB: the folder of one kernel, which no other has
)
