-- Characters of the images of the changes that are not copied into Parquet yet
SELECT
  count(*) AS changes,
  coalesce(sum(coalesce(length(cdc_old_image), 0) + coalesce(length(cdc_new_image), 0)), 0) AS characters
FROM recent
