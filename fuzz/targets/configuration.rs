//! `aux.configuration/1`: any bytes become facts or a refusal.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(configuration) = aux_inventory::configuration::read_evaluated(data) {
        assert_eq!(configuration.source, aux_core::ConfigurationSource::Evaluated);
    }
});
