//! The stable codes of problems. A code keeps its meaning for ever; programs and documents refer to it.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The pipeline cannot be used.
    Error,
    /// The pipeline can be used; the person should know.
    Warning,
}

impl Severity {
    /// The word that the API uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal $severity:ident,)*) => {
        /// What kind of problem it is. The text form (`TM0201`) is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])* $name,)*
        }

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable text form.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The code of this text form.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }

            /// What it means, in one sentence: what its documentation says.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),*),)*
                }
            }

            /// Whether it stops the pipeline.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)*
                }
            }
        }
    };
}

codes! {
    /// A pipeline, component or environment file cannot be read.
    FileUnreadable = "TM0101" Error,
    /// A file is larger than files of this kind may be.
    FileTooLarge = "TM0102" Error,
    /// A file is no UTF-8 text, or holds characters that text must not hold (NUL, control, direction override).
    BadText = "TM0103" Error,
    /// A file is no YAML.
    BadYaml = "TM0104" Error,
    /// Values are nested too deeply.
    TooDeep = "TM0105" Error,
    /// A mapping has the same key twice.
    DuplicateKey = "TM0106" Error,
    /// A file expands to too many values (many small ones, or aliases of aliases).
    TooManyValues = "TM0107" Error,
    /// A pipeline has too many steps.
    TooManySteps = "TM0108" Error,
    /// Pipelines are nested too deeply, or a component file leads back to itself.
    NestedTooDeep = "TM0109" Error,
    /// A step's command and values are larger than what can be sent to a worker.
    StepTooLarge = "TM0110" Error,
    /// A key is not known at this place.
    UnknownKey = "TM0201" Error,
    /// A value has the wrong shape.
    WrongShape = "TM0202" Error,
    /// A required key is missing.
    MissingKey = "TM0203" Error,
    /// A name breaks the grammar of names.
    BadName = "TM0204" Error,
    /// A value has the right shape but is not allowed.
    BadValue = "TM0205" Error,
    /// A kind of step or file that is not supported.
    Unsupported = "TM0206" Error,
    /// An expression is malformed.
    BadExpression = "TM0301" Error,
    /// An expression names an input that does not exist.
    UnknownInput = "TM0302" Error,
    /// An expression names an output that does not exist.
    UnknownOutput = "TM0303" Error,
    /// An expression or `depends_on` names a step that does not exist.
    UnknownStep = "TM0304" Error,
    /// An expression has no meaning at this place.
    MisplacedExpression = "TM0305" Error,
    /// A reference stands where the shell would read its value as syntax.
    UnsafePlace = "TM0306" Error,
    /// An output is filled by more than one step.
    OutputFilledTwice = "TM0307" Error,
    /// An environment name is not known.
    UnknownEnvironment = "TM0401" Error,
    /// A compute name cannot be a compute target.
    BadCompute = "TM0402" Error,
    /// A datastore is not known.
    UnknownDatastore = "TM0403" Error,
    /// A data asset or model is not known.
    UnknownData = "TM0404" Error,
    /// A registered component is not known.
    UnknownComponent = "TM0405" Error,
    /// The workspace's own file is wrong.
    BadWorkspace = "TM0406" Error,
    /// A local file or folder does not exist, or is not what is needed.
    MissingPath = "TM0407" Error,
    /// A secret is not known to the coordinator.
    UnknownSecret = "TM0408" Error,
    /// A version in the catalog is disabled.
    DisabledVersion = "TM0409" Error,
    /// A required input has no value.
    MissingInput = "TM0501" Error,
    /// A value does not fit the declared type.
    WrongType = "TM0502" Error,
    /// A value lies outside the declared range or choices.
    OutOfRange = "TM0503" Error,
    /// A parameter was given that the pipeline does not have.
    UnknownParameter = "TM0504" Error,
    /// Steps wait for each other in a circle.
    Cycle = "TM0505" Error,
    /// A self-contained pipeline contradicts itself; only a faulty client sends such.
    BadSpec = "TM0506" Error,
    /// The type of a value differs from the type that the component declares.
    TypeMismatch = "TM0701" Warning,
    /// A step passes an input that its component does not declare.
    UndeclaredInput = "TM0702" Warning,
    /// A setting is not known.
    UnknownSetting = "TM0703" Warning,
    /// An optional block without any expression is always kept.
    AimlessBlock = "TM0704" Warning,
    /// A key has no effect here.
    IgnoredKey = "TM0705" Warning,
    /// An output's own location is not written to.
    OutputLocation = "TM0706" Warning,
    /// A remote location is passed on unread, so changes behind it are not noticed.
    NotHashed = "TM0707" Warning,
    /// An optional input is used outside of an optional block.
    OptionalUse = "TM0708" Warning,
    /// A value is handed to a program that reads it as a script.
    ReadAgain = "TM0709" Warning,
    /// No step fills an output of the pipeline.
    UnfilledOutput = "TM0710" Warning,
    /// A step's executor is not built in: it plans, and fails when it is reached.
    ExecutorMissing = "TM0711" Warning,
    /// An environment can only be approximated.
    EnvironmentApproximated = "TM0712" Warning,
    /// A version in the catalog is deprecated.
    DeprecatedVersion = "TM0713" Warning,
}
