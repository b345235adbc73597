/** What becomes of A1111's options in `override_settings`, where they are not honoured: each of its 312 is in one list. */
import DEFAULTS from "../../sdapi-options.json" with { type: "json" };

const listed = (names: string): string[] => names.trim().split(/\s+/);

/** These change the picture, and cannot be honoured: only what asks for nothing passes. */
export const UNAVAILABLE: readonly string[] = listed(`
  enable_quantization comma_padding_backtrack sdxl_clip_l_skip sdxl_crop_top sdxl_crop_left
  use_old_emphasis_implementation
  enable_batch_seeds no_dpmpp_sde_batch_determinism
  tiling face_restoration img2img_color_correction
  sd_unet sd_hypernetwork sd_lora lora_functional fp8_storage
  sd_vae_encode_method sd_vae_decode_method
  s_min_uncond s_min_uncond_all skip_early_cond pad_cond_uncond pad_cond_uncond_v0 hires_fix_use_firstpass_conds
  sd_noise_schedule use_downcasted_alpha_bar use_old_karras_scheduler_sigmas
  ddim_discretize uni_pc_skip_type uni_pc_order uni_pc_lower_order_final
  postprocessing_enable_in_main_ui grid_background_color
  upscaler_for_img2img return_mask return_mask_composite
  forge_unet_storage_dtype
`);

/** Files: where A1111 keeps them, their names, and which it writes beside its answer. */
const FILES = listed(`
  samples_save samples_filename_pattern save_images_add_number save_images_replace_action
  grid_save grid_format grid_extended_filename grid_zip_filename_pattern font grid_text_active_color
  grid_text_inactive_color save_images_before_face_restoration save_images_before_highres_fix
  save_images_before_color_correction save_mask save_mask_composite export_for_4chan img_downscale_threshold
  target_side_length img_max_size_mp use_original_name_batch use_upscaler_name_as_suffix save_selected_only
  save_write_log_csv save_init_img temp_dir clean_temp_dir_at_start save_incomplete_images save_txt
  outdir_samples outdir_txt2img_samples outdir_img2img_samples outdir_extras_samples outdir_grids
  outdir_txt2img_grids outdir_img2img_grids outdir_save outdir_init_images save_to_dirs grid_save_to_dirs
  use_save_to_dirs_for_ui directories_filename_pattern directories_max_prompt_words
`);

/** Memory, precision and speed, which are ComfyUI's own matter. */
const ENGINE = listed(`
  ESRGAN_tile ESRGAN_tile_overlap DAT_tile DAT_tile_overlap face_restoration_unload disable_mmap_load_safetensors
  unload_models_when_training pin_memory sd_checkpoints_limit sd_checkpoints_keep_in_cpu sd_checkpoint_cache upcast_attn
  sd3_enable_t5 sd_vae_checkpoint_cache auto_vae_precision_bfloat16 auto_vae_precision cross_attention_optimization
  persistent_cond_cache batch_cond_uncond cache_fp16_weight lora_in_memory_limit upscaling_max_images_in_cache
`);

/** The process and its log. */
const PROCESS = listed(`
  auto_launch_browser enable_console_prompts show_warnings show_gradio_deprecation_warnings memmon_poll_rate
  samples_log_stdout multiple_tqdm enable_upscale_progressbar print_hypernet_extra list_hidden_files hide_ldm_prints
  dump_stacks_on_signal profiling_explanation profiling_enable profiling_activities profiling_record_shapes
  profiling_profile_memory profiling_with_stack profiling_filename api_enable_requests api_forbid_local_requests
  api_useragent textual_inversion_print_at_load lora_not_found_warning_console disabled_extensions
  disable_all_extensions restore_config_state_file
`);

/** Training, interrogation and extras, which no generation uses. */
const OTHER_WORK = listed(`
  save_optimizer_state save_training_settings_to_txt dataset_filename_word_regex dataset_filename_join_string
  training_image_repeats_per_epoch training_write_csv_every training_xattention_optimizations
  training_enable_tensorboard training_tensorboard_save_images training_tensorboard_flush_every
  interrogate_keep_models_in_memory interrogate_return_ranks interrogate_clip_num_beams interrogate_clip_min_length
  interrogate_clip_max_length interrogate_clip_dict_limit interrogate_clip_skip_categories
  interrogate_deepbooru_score_threshold deepbooru_sort_alpha deepbooru_use_spaces deepbooru_escape
  deepbooru_filter_tags postprocessing_disable_in_extras postprocessing_operation_order
  postprocessing_existing_caption_action
`);

/** A1111's web page, its previews, and what it makes of pasted texts. */
const WEB_PAGE = listed(`
  notification_audio notification_volume realesrgan_enabled_models dat_enabled_models
  set_scale_by_when_changing_upscaler img2img_editor_height img2img_sketch_default_brush_color
  img2img_inpaint_mask_brush_color img2img_inpaint_sketch_default_brush_color img2img_batch_show_results_limit
  extra_networks_show_hidden_directories extra_networks_dir_button_function extra_networks_hidden_models
  extra_networks_default_multiplier extra_networks_card_width extra_networks_card_height extra_networks_card_text_scale
  extra_networks_card_show_desc extra_networks_card_description_is_html extra_networks_card_order_field
  extra_networks_card_order extra_networks_tree_view_style extra_networks_tree_view_default_enabled
  extra_networks_tree_view_default_width extra_networks_add_text_separator ui_extra_networks_tab_reorder
  keyedit_precision_attention keyedit_precision_extra keyedit_delimiters keyedit_delimiters_whitespace keyedit_move
  disable_token_counters include_styles_into_token_counters do_not_show_images js_modal_lightbox
  js_modal_lightbox_initially_zoomed js_modal_lightbox_gamepad js_modal_lightbox_gamepad_repeat
  sd_webui_modal_lightbox_icon_opacity sd_webui_modal_lightbox_toolbar_opacity gallery_height open_dir_button_choice
  compact_prompt_box samplers_in_dropdown dimensions_and_batch_together sd_checkpoint_dropdown_use_short
  hires_fix_show_sampler hires_fix_show_prompts txt2img_settings_accordion img2img_settings_accordion
  interrupt_after_current localization quicksettings_list ui_tab_order hidden_tabs ui_reorder_list gradio_theme
  gradio_themes_cache show_progress_in_title send_seed send_size enable_reloading_ui_scripts infotext_explanation
  auto_backcompat disable_weights_auto_swap infotext_skip_pasting infotext_styles show_progressbar live_previews_enable
  live_previews_image_format show_progress_grid show_progress_every_n_steps show_progress_type
  live_preview_allow_lowvram_full live_preview_content live_preview_refresh_period live_preview_fast_interrupt
  js_live_preview_in_modal_lightbox prevent_screen_sleep_during_generation hide_samplers lora_preferred_name
  lora_show_all lora_hide_unknown_for_versions lora_not_found_gradio_warning canvas_hotkey_zoom canvas_hotkey_adjust
  canvas_hotkey_shrink_brush canvas_hotkey_grow_brush canvas_hotkey_move canvas_hotkey_fullscreen canvas_hotkey_reset
  canvas_hotkey_overlap canvas_show_tooltip canvas_auto_expand canvas_blur_prompt canvas_disabled_functions
  settings_in_ui extra_options_txt2img extra_options_img2img extra_options_cols extra_options_accordion
`);

/** They count only together with another that cannot be honoured, or say what is so anyway. */
const IDLE = listed(`
  face_restoration_model code_former_weight add_user_name_to_info sd_vae_explanation
  sd_vae_overrides_per_model_preferences sd_checkpoint_hash lora_bundled_ti_to_infotext
`);

/** Forge's ways with memory, which A1111 has not. */
const FORGE = ["forge_inference_memory", "forge_async_loading", "forge_pin_shared_memory"];

/** No picture that this worker returns depends on them; by what they are about. */
export const IRRELEVANT_BY_SUBJECT: Readonly<Record<string, readonly string[]>> = {
  "files, their names and folders": FILES,
  "memory, precision and speed, which are ComfyUI's own matter": ENGINE,
  "the process and its log": PROCESS,
  "training, interrogation and extras": OTHER_WORK,
  "the web page": WEB_PAGE,
  "what counts only together with another that cannot be had, or is so anyway": IDLE,
  "Forge's ways with memory": FORGE,
};

export const IRRELEVANT: readonly string[] = Object.values(IRRELEVANT_BY_SUBJECT).flat();

/** What every picture here is made with, so that asking for it changes nothing. */
const ALREADY_SO: Readonly<Record<string, readonly unknown[]>> = {
  forge_unet_storage_dtype: ["Automatic"],
  upscaler_for_img2img: ["None", ""],
};

const defaultOf = (name: string): unknown => (DEFAULTS as Record<string, unknown>)[name];

/** The values of an {@link UNAVAILABLE} option that ask for nothing, beside null: A1111's default first, where it has the option. */
export const neutralValues = (name: string): unknown[] => [
  ...(defaultOf(name) === undefined ? [] : [defaultOf(name)]),
  ...(ALREADY_SO[name] ?? []),
];

/** Whether a value of an {@link UNAVAILABLE} option asks for nothing: A1111's default in whatever type, null, or what is so anyway. */
export function asksForNothing(name: string, value: unknown): boolean {
  const same = (other: unknown) => String(value).toLowerCase() === String(other).toLowerCase();
  return value === null || same(defaultOf(name)) || Boolean(ALREADY_SO[name]?.includes(value));
}
