//! How the parts of a picture look.

/// For light screens, and for print.
pub const LIGHT: &str = "
.calibd{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
.calibd text{fill:#1f2328}
.calibd .title{font-size:16px;font-weight:600}
.calibd .small,.calibd .tick{font-size:12px;fill:#59636e}
.calibd .paper{fill:#fff}
.calibd .grid{stroke:#e3e6ea;stroke-width:1}
.calibd .axis{stroke:#8b949e;stroke-width:1}
.calibd .zero{stroke:#59636e;stroke-width:1.2}
.calibd .ideal{stroke:#59636e;stroke-width:1.2;stroke-dasharray:5 4;fill:none}
.calibd .data{fill:#0072b2;fill-opacity:.55}
.calibd .many{fill:#0072b2;fill-opacity:.3}
.calibd .bar{fill:#0072b2;fill-opacity:.55}
.calibd .spoke{stroke:#0072b2;stroke-width:1.4;fill:none}
.calibd .curve{stroke:#b34700;stroke-width:2;fill:none;stroke-linejoin:round}
.calibd .band{fill:#d55e00;fill-opacity:.18}
.calibd .limit{stroke:#8a4a78;stroke-width:1.6;stroke-dasharray:8 4;fill:none}
.calibd .outside{fill:none;stroke:#8a4a78;stroke-width:1.4}
.calibd .before{fill:#fff;stroke:#0072b2;stroke-width:1.8}
.calibd .after{fill:#b34700}
.calibd .reach{stroke:#b34700;stroke-width:1.4;fill:none}
";
/// For dark screens that ask for it.
pub const DARK: &str = "@media screen and (prefers-color-scheme:dark){
.calibd text{fill:#e6e9ec}
.calibd .small,.calibd .tick{fill:#a3adb8}
.calibd .paper{fill:#14181d}
.calibd .grid{stroke:#2a3038}
.calibd .axis{stroke:#6b7580}
.calibd .zero,.calibd .ideal{stroke:#a3adb8}
.calibd .data,.calibd .bar{fill:#56b4e9}
.calibd .many{fill:#56b4e9;fill-opacity:.35}
.calibd .spoke{stroke:#56b4e9}
.calibd .curve{stroke:#f5a04c}
.calibd .band{fill:#f5a04c;fill-opacity:.22}
.calibd .limit,.calibd .outside{stroke:#e0a3cd}
.calibd .before{fill:#14181d;stroke:#56b4e9}
.calibd .after{fill:#f5a04c}
.calibd .reach{stroke:#f5a04c}
}
";
